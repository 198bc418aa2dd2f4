use super::*;

fn held(key: Option<&'static [u8]>) -> Held {
    Held {
        table: TableName::new("it's", "o`rders"),
        key: key.map(Bytes::from_static),
        made_of: key.map(|_| "`id` int".into()),
        shown: "id='x\\'".into(),
        why: Arc::new(Why { code: "E050".into(), text: "it's".into() }),
        since_us: 5,
        letters: 2,
        first: Place { topic: "p.a".into(), partition: 1, offset: 10 },
        last: Place { topic: "p.a".into(), partition: 1, offset: 12 },
        letters_from: 3,
    }
}

fn sql(key: Option<&'static [u8]>) -> String {
    let ledger = Ledger { database: "cdc".into(), name: "crm".into() };
    String::from_utf8(take_in_sql(&ledger, &held(key))).unwrap()
}

#[test]
fn a_key_of_any_bytes_is_told_apart_by_its_hash() {
    let sql = sql(Some(b"'\0\\"));
    assert!(sql.contains("UNHEX(SHA2(x'27005c', 256)), _binary'''\0\\\\')"), "{sql}");
    assert!(sql.contains("'it''s', 'o`rders', 1, _utf8mb4 x'"), "{sql}");
    let more = " ON DUPLICATE KEY UPDATE letters = letters + 2, last_topic = 'p.a', last_partition = 1, last_offset = 12";
    assert!(sql.ends_with(more), "what came first stays: {sql}");
}

#[test]
fn a_whole_table_has_zeros_for_a_hash() {
    assert!(sql(None).contains("REPEAT(CHAR(0), 32), NULL)"));
}
