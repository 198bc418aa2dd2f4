use super::*;

#[test]
fn legal_names_pass() {
    for name in ["a", "shop.orders", "__debezium-heartbeat.shop", &"x".repeat(249)] {
        check_name(name).unwrap();
    }
}

#[test]
fn illegal_names_are_refused() {
    for name in ["", ".", "..", "a b", "a\0b", "ä", "a/b", &"x".repeat(250)] {
        assert_eq!(check_name(name).unwrap_err().kind(), Kind::KafkaRefused, "{name:?}");
    }
}
