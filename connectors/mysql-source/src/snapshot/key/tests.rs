use super::super::packed::tests::one_of_each;
use super::*;

fn bound(values: Vec<OwnedValue>) -> KeyBound {
    let names = |what: &str| (0..values.len()).map(|n| format!("{what}{n}")).collect();
    KeyBound { columns: names("c"), orders: names("int"), values }
}

#[test]
fn bounds_survive_json() {
    let values: Vec<OwnedValue> = one_of_each()
        .into_iter()
        .filter(|v| !matches!(v, Value::Json(_) | Value::Geometry { .. } | Value::Vector(_)))
        .map(OwnedValue::from)
        .collect();
    let bound = bound(values);
    for bound in [KeyBound { orders: Vec::new(), ..bound.clone() }, bound] {
        let text = bound.to_json().to_string();
        let back = serde_json::from_str(&text).ok().as_ref().and_then(KeyBound::from_json);
        assert_eq!(back, Some(bound));
    }
}

#[test]
fn nonsense_is_no_bound() {
    for text in [
        "[]",
        "{}",
        "3",
        r#"[["a"]]"#,
        r#"[["a",{"int":1},2]]"#,
        r#"[["a",{"int":1.5}]]"#,
        r#"[["a",{"bytes":"0g"}]]"#,
        r#"[["a",{}]]"#,
    ] {
        let json: Json = serde_json::from_str(text).unwrap_or_default();
        assert_eq!(KeyBound::from_json(&json), None, "{text}");
    }
}

fn column(charset: Option<&str>, collation: Option<&str>) -> Column {
    Column {
        name: "k".into(),
        ty: cdc_sdk::ColumnType::Varchar { length: 9 },
        nullable: false,
        charset: charset.map(Into::into),
        collation: collation.map(Into::into),
        extra: cdc_sdk::column::Extra::default(),
    }
}

#[test]
fn literals_are_exact() -> Result<()> {
    let plain = |value| literal(value, &column(None, None));
    assert_eq!(plain(Value::Int(-5))?, "-5");
    assert_eq!(plain(Value::UInt(u64::MAX))?, "18446744073709551615");
    assert_eq!(plain(Value::Float(0.1))?, "1.0000000149011612e-1");
    assert_eq!(plain(Value::Bytes(&[0, 0x27]))?, "X'0027'");
    assert_eq!(plain(Value::Time(Time { micros: -1 }))?, "TIME'-00:00:00.000001'");
    assert_eq!(plain(Value::Date(Date::default()))?, "'0000-00-00'");
    Ok(())
}

#[test]
fn text_compares_by_the_columns_collation() -> Result<()> {
    let sql = literal(Value::Bytes(b"\xe4'"), &column(Some("latin1"), Some("latin1_german2_ci")))?;
    assert_eq!(sql, "_latin1 X'e427' COLLATE latin1_german2_ci");
    Ok(())
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    for value in [Value::Null, Value::Json("1"), Value::Text("converted")] {
        assert!(literal(value, &column(None, None)).is_err());
    }
}
