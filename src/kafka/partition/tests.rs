use super::*;

/// Values of Apache Kafka's `UtilsTest.testMurmur2`.
#[test]
fn murmur2_is_javas() {
    let known = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    for (key, hash) in known {
        assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
    }
}

#[test]
fn a_key_stays_within_the_partitions() {
    for partitions in [1, 2, 3, 7, 1000] {
        for key in 0..1000_u32 {
            let p = partition(Some(&key.to_be_bytes()), partitions);
            assert!((0..partitions).contains(&p));
        }
    }
    assert_eq!(partition(Some(b"foobar"), 10), (-790_332_482 & i32::MAX) % 10);
}

#[test]
fn rows_without_a_key_and_odd_counts_go_to_the_first() {
    assert_eq!(partition(None, 8), 0);
    assert_eq!(partition(Some(b"k"), 0), 0);
    assert_eq!(partition(Some(b"k"), -3), 0);
}

#[test]
fn an_empty_key_is_a_key() {
    assert_eq!(murmur2(b""), 275_646_681);
}
