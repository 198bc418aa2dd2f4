use super::*;

#[test]
fn names_are_those_of_debezium() {
    assert_eq!(topic_name("shop", &TableName::new("inventory", "orders")), "shop.inventory.orders");
    assert_eq!(topic_name("s", &TableName::new("a b", "über$t-1")), "s.a_b._ber_t-1");
    assert_eq!(topic_name("s", &TableName::new("d", "😀")), "s.d.__");
    assert_eq!(topic_name("s", &TableName::new("d".repeat(200), "t".repeat(200))).len(), 249);
}
