use cdc_sdk::Kind;

use super::filter;

#[test]
fn levels_and_filters_are_taken() {
    for level in ["off", "error", "WARN", "info", "debug", "trace", "info,rdkafka=debug", "cdc=debug,warn"] {
        assert!(filter(level).is_ok(), "{level}");
    }
}

#[test]
fn a_word_that_is_no_level_is_wrong_use() {
    for level in ["", "verbose", "inf", "info,loud", "rdkafka=loud", "info,,debug"] {
        assert_eq!(filter(level).unwrap_err().kind(), Kind::Usage, "{level}");
    }
}
