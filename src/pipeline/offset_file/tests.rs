use super::*;

fn sample() -> OffsetFile {
    let place = |partition, offset| Place { topic: "shop.a.t".into(), partition, offset };
    let cut = Some(CutId { incarnation: 3, sequence: 1024 });
    let position = "uuid:1-5".into();
    let mark =
        Mark { cut, cuts_offset: 77, places: vec![place(1, 0), place(0, 12)], position, ..Mark::default() };
    OffsetFile::new("shop", "ledger of 'crm'".into(), &mark)
}

#[test]
fn what_is_written_is_read_again() {
    let file = sample();
    let text = file.json().unwrap();
    assert!(text.contains("\"version\": 1") && text.contains("\"cut\": \"3.1024\""), "{text}");
    assert_eq!(OffsetFile::parse(&text).unwrap(), file);
    assert!(!text.contains("no_state"), "who knows nothing of it reads what has none: {text}");
    let told = OffsetFile { no_state: Some("converging".into()), ..sample() };
    assert_eq!(OffsetFile::parse(&told.json().unwrap()).unwrap(), told);
    assert!(told.table().contains("no state of the source: converging"));
    let fresh = OffsetFile::new("shop", "x".into(), &Mark::default());
    let text = fresh.json().unwrap();
    assert!(text.contains("\"cut\": null"), "{text}");
    assert_eq!(OffsetFile::parse(&text).unwrap(), fresh);
}

#[test]
fn another_version_is_told() {
    let text = sample().json().unwrap().replace("\"version\": 1", "\"version\": 2");
    assert_eq!(OffsetFile::parse(&text).unwrap_err().kind(), Kind::UnknownVersion);
}

#[test]
fn what_cannot_be_read_is_never_a_guess() {
    let good = sample().json().unwrap();
    for (from, to) in [
        ("\"version\": 1,", ""),
        ("\"3.1024\"", "\"3\""),
        ("\"3.1024\"", "3.1024"),
        ("\"cuts_offset\": 77", "\"cuts_offset\": -1"),
        ("\"cuts_offset\": 77,", ""),
        ("\"cut\": \"3.1024\",", ""),
        ("\"offset\": 12", "\"offset\": -1"),
        ("\"offset\": 12", "\"offset\": 1.5"),
        ("\"offset\": 12", "\"offset\": 12, \"note\": 1"),
        ("\"partition\": 1", "\"partition\": 0"),
        ("\"partition\": 1", "\"partition\": 99999999999"),
        ("\"shop.a.t\"", "\"other.a.t\""),
        ("}", ""),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let refused = OffsetFile::parse(&text).map(|f| panic!("{from} → {to}: {f:?}"));
        assert_eq!(refused.unwrap_err().kind(), Kind::BadPosition, "{from} → {to}");
    }
}

#[test]
fn a_file_is_written_whole_over_an_older_one() {
    let path = std::env::temp_dir().join(format!("cdc-offsets-{}.json", std::process::id()));
    std::fs::write(&path, "older").unwrap();
    sample().write(&path).unwrap();
    assert_eq!(OffsetFile::read(&path).unwrap(), sample());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(OffsetFile::read(&path).unwrap_err().kind(), Kind::Usage);
}
