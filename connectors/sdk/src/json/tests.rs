use proptest::prelude::*;

use super::*;

/// Each value: its text, its marks, and the path to it.
fn walked(text: &str) -> Result<Vec<String>, NotJson> {
    let mut nodes = Nodes::of(text);
    let mut all = Vec::new();
    while let Some(node) = nodes.step()? {
        let mut path = String::from("$");
        for leg in nodes.legs() {
            match leg {
                Leg::Member(name) => path += &format!(".{name}"),
                Leg::Cell(index) => path += &format!("[{index}]"),
            }
        }
        assert!(text[node.start..].starts_with(node.text));
        all.push(format!("{path}={}{}", "*".repeat(node.marks), node.text));
    }
    Ok(all)
}

#[test]
fn values_come_with_their_paths_and_marks() {
    let text = "{\"a\": [\t1.50, \t\t\"x\", {}], \"b \\\" ]\": {\"c\": [[], null]}, \"d\": \t2}";
    let all = [
        "$={",
        "$.\"a\"=[",
        "$.\"a\"[0]=*1.50",
        "$.\"a\"[1]=**\"x\"",
        "$.\"a\"[2]={",
        "$.\"b \\\" ]\"={",
        "$.\"b \\\" ]\".\"c\"=[",
        "$.\"b \\\" ]\".\"c\"[0]=[",
        "$.\"b \\\" ]\".\"c\"[1]=null",
        "$.\"d\"=*2",
    ];
    assert_eq!(walked(text), Ok(all.map(str::to_owned).to_vec()));
    assert_eq!(walked("\t\t-7"), Ok(vec!["$=**-7".to_owned()]));
    let mut plain = Vec::new();
    unmarked(text, &mut plain);
    assert_eq!(plain, text.replace('\t', "").into_bytes());
}

#[test]
fn what_is_no_json_is_refused() {
    for text in
        ["", "[", "[1", "[1,", "{\"a\"}", "{\"a\":}", "[1]]", "\"a", "{1:2}", "[1 2]", "\"\\", "{,}", "1 2"]
    {
        assert_eq!(walked(text), Err(NotJson), "{text}");
    }
    assert_eq!(walked(&"[".repeat(200)), Err(NotJson));
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..5).prop_map(Value::from_iter),
        ]
    })
}

fn count(value: &serde_json::Value) -> usize {
    1 + match value {
        serde_json::Value::Array(parts) => parts.iter().map(count).sum(),
        serde_json::Value::Object(parts) => parts.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn every_value_of_a_document_is_met_once(document in document(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let mut paths = walked(&text.unwrap_or_default()).unwrap_or_default();
        prop_assert_eq!(paths.len(), count(&document));
        paths.sort();
        paths.dedup();
        prop_assert_eq!(paths.len(), count(&document));
    }

    #[test]
    fn any_bytes_end(text in "[\\[\\]{}\",:\\\\ \ta1.-]{0,40}") {
        let _ = walked(&text);
    }
}
