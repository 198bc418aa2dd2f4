use proptest::prelude::*;

use super::Charset;

fn decode(charset: &str, bytes: &[u8]) -> Option<String> {
    let mut scratch = vec![1, 2, 3];
    Charset::from_name(charset).unwrap().decode(bytes, &mut scratch).ok().map(str::to_owned)
}

#[test]
fn every_set_of_mysql_is_there() {
    for name in [
        "armscii8", "ascii", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866",
        "cp932", "dec8", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8",
        "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "sjis",
        "swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le", "utf32", "utf8mb3", "utf8mb4",
    ] {
        assert!(Charset::from_name(name).is_some(), "{name}");
    }
    assert_eq!(Charset::from_name("binary"), None);
    assert_eq!(Charset::from_name("klingon"), None);
}

#[test]
fn letters_where_mysql_differs_from_others() {
    assert_eq!(decode("latin1", b"\x80\x81\x9f\xff").unwrap(), "€\u{81}Ÿÿ");
    assert_eq!(decode("sjis", b"a\x81\x5fb\x81\x60\xb1").unwrap(), "a\\b〜ｱ");
    assert_eq!(decode("cp932", b"\x81\x5f\x81\x60").unwrap(), "＼～");
    assert_eq!(
        decode("ujis", b"\xa1\xc0\x8f\xa2\xb7\xf5\xa1\x8f\xf5\xa1\x8e\xb1").unwrap(),
        "\\~\u{e000}\u{e3ac}ｱ"
    );
    assert_eq!(decode("eucjpms", b"\xa1\xc1\xf5\xa1\x8f\xf3\xf3").unwrap(), "～\u{e000}ⅰ");
    assert_eq!(decode("gb2312", b"\xa1\xa4\xa1\xaa\xb0\xa1").unwrap(), "・―啊");
    assert_eq!(
        decode("gb18030", b"\xa3\xa0\x81\x30\x81\x30x\x90\x30\x81\x30").unwrap(),
        "\u{e5e5}\u{80}x\u{10000}"
    );
    assert_eq!(decode("big5", b"\xa1\x45\xa4\x40").unwrap(), "•一");
    assert_eq!(decode("swe7", b"[\\]a").unwrap(), "ÄÖÅa");
    assert_eq!(decode("utf16", &[0xd8, 0x3d, 0xde, 0x00, 0, b'a']).unwrap(), "😀a");
    assert_eq!(decode("utf16le", &[b'a', 0]).unwrap(), "a");
    assert_eq!(decode("utf32", &[0, 1, 0xf6, 0]).unwrap(), "😀");
}

#[test]
fn what_is_no_text_is_refused() {
    for (charset, bytes) in [
        ("utf8mb4", &b"\xff"[..]),
        ("ascii", b"\x80"),
        ("utf16", b"a"),
        ("utf16", &[0xd8, 0]),
        ("utf32", &[0, 0x11, 0, 0]),
        ("utf32", &[0, 0, 0]),
        ("cp1251", b"\x98"),
        ("swe7", b"\x80"),
        ("big5", b"a\xa4"),
        ("gb18030", b"\x81\x30\x81"),
        ("ujis", b"\x8f\xa2"),
        ("gbk", b"\xff\xff"),
    ] {
        assert_eq!(decode(charset, bytes), None, "{charset} {bytes:x?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for name in ["big5", "gbk", "gb18030", "ujis", "sjis", "utf16", "utf32", "latin1", "tis620", "utf8mb4", "swe7"] {
            decode(name, &bytes);
        }
    }
}
