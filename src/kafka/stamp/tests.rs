use proptest::prelude::*;

use super::*;

type Pair<'a> = (&'a str, Option<&'a [u8]>);

fn pairs(headers: &Encoded) -> Vec<Pair<'_>> {
    headers.headers().into_iter().map(|(name, value)| (name, Some(value))).collect()
}

#[test]
fn a_small_stamp_takes_four_bytes() {
    let stamp = Stamp { cut: CutId { incarnation: 3, sequence: 100 }, ordinal: 7 };
    let headers = stamp.encode();
    assert_eq!(headers.headers(), [(CUT, &[1, 3, 100][..]), (ORDINAL, &[7][..])]);
}

#[test]
fn the_largest_stamp_fits() {
    let most = u64::MAX;
    let stamp = Stamp { cut: CutId { incarnation: most, sequence: most }, ordinal: most };
    assert_eq!(Stamp::decode(pairs(&stamp.encode())).unwrap(), Some(stamp));
}

#[test]
fn records_of_others_have_no_stamp() {
    assert_eq!(Stamp::decode([]).unwrap(), None);
    assert_eq!(Stamp::decode([("__debezium.newkey", Some(&b"x"[..]))]).unwrap(), None);
}

#[test]
fn half_a_stamp_and_other_versions_are_refused() {
    let bad: [&[Pair<'_>]; 8] = [
        &[(CUT, Some(&[1, 1, 1]))],
        &[(ORDINAL, Some(&[1]))],
        &[(CUT, None), (ORDINAL, Some(&[1]))],
        &[(CUT, Some(&[2, 1, 1])), (ORDINAL, Some(&[1]))],
        &[(CUT, Some(&[1, 1])), (ORDINAL, Some(&[1]))],
        &[(CUT, Some(&[1, 1, 1, 1])), (ORDINAL, Some(&[1]))],
        &[(CUT, Some(&[1, 1, 1])), (ORDINAL, Some(&[0x80]))],
        &[
            (CUT, Some(&[1, 1, 1])),
            (ORDINAL, Some(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2])),
        ],
    ];
    for headers in bad {
        let error = Stamp::decode(headers.iter().copied()).unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownVersion, "{headers:?}");
    }
}

proptest! {
    #[test]
    fn stamps_survive(incarnation: u64, sequence: u64, ordinal: u64) {
        let stamp = Stamp { cut: CutId { incarnation, sequence }, ordinal };
        prop_assert_eq!(Stamp::decode(pairs(&stamp.encode())).unwrap(), Some(stamp));
    }

    #[test]
    fn no_bytes_do_harm(cut: Vec<u8>, ordinal: Vec<u8>) {
        let _ = Stamp::decode([(CUT, Some(&cut[..])), (ORDINAL, Some(&ordinal[..]))]);
    }
}
