use super::*;

fn record(key: Option<Vec<u8>>, value: Option<Vec<u8>>) -> Record {
    Record { offset: 7, timestamp_ms: 0, key, value, headers: Vec::new() }
}

fn sent(id: &str, json: &str) -> Record {
    let key = records::encode_key(&format!("command/{id}"), 1);
    record(Some(key), Some(records::encode_control_value(json, 2).unwrap()))
}

#[test]
fn every_command_comes_back() {
    let snapshot = Command::Snapshot {
        tables: vec!["a.b".into(), "c.*".into()],
        condition: Some("id > 5".into()),
        empty_first: false,
        sink: Some("crm".into()),
    };
    for command in [snapshot, Command::Pause {}, Command::Resume {}, Command::Stop {}] {
        let json = serde_json::to_string(&command).unwrap();
        let back = received(&sent("1", &json)).unwrap();
        assert_eq!((back.id.as_str(), back.next_offset), ("1", 8));
        assert_eq!(back.command.unwrap(), command);
    }
}

#[test]
fn what_is_not_understood_is_answered_not_guessed_at() {
    let newer = r#"{"command":"snapshot","tables":["a.b"],"condition":null,"empty_first":false,"sink":null,"limit":5}"#;
    for json in [newer, r#"{"command":"dance"}"#, r#"{"command":"pause","until":3}"#, "pause"] {
        let received = received(&sent("1", json)).unwrap();
        assert_eq!(received.command.unwrap_err().kind(), Kind::Refused, "{json}");
    }
    let mut later = sent("1", r#"{"command":"pause"}"#);
    later.value.as_mut().unwrap()[5] = 4;
    assert_eq!(received(&later).unwrap().command.unwrap_err().kind(), Kind::Refused);
}

#[test]
fn records_that_are_no_commands_are_passed() {
    let answer = records::encode_key(&answer_key("1"), 1);
    let value = records::encode_control_value("{}", 2).unwrap();
    for record in [
        record(Some(answer), Some(value.clone())),
        record(None, Some(value)),
        record(Some(b"barrier".to_vec()), None),
        record(Some(b"junk".to_vec()), Some(b"junk".to_vec())),
    ] {
        assert!(received(&record).is_none(), "{record:?}");
    }
}

#[test]
fn what_was_taken_comes_back_and_another_version_does_not() {
    let given_up = vec![GivenUp { table: "a.b".into(), tables: 1, ..GivenUp::default() }];
    let taken = Taken { version: VERSION, next_offset: 9, paused: true, sinks: vec!["crm".into()], given_up };
    let json = taken.to_json().unwrap();
    assert_eq!(Taken::from_json(&json).unwrap(), taken);
    let earlier = r#"{"version":1,"next_offset":9,"paused":true,"sinks":["crm"]}"#;
    assert_eq!(Taken::from_json(earlier).unwrap(), Taken { given_up: Vec::new(), ..taken });
    let later = json.replace("\"version\":1", "\"version\":2");
    assert_eq!(Taken::from_json(&later).unwrap_err().kind(), Kind::UnknownVersion);
}

#[test]
fn a_refusal_is_an_error_with_its_reason() {
    let error = Error::new(Kind::Refused, "no such table").detail("a.b").hint("name another");
    let error = Answer::refused(&error).into_result().unwrap_err();
    assert_eq!((error.kind(), error.what()), (Kind::Refused, "no such table (a.b)"));
    assert_eq!(error.hint_text(), Some("name another"));
}

#[test]
fn what_was_given_up_is_remembered_until_it_is_asked_for_again() {
    let of = |sink: Option<&str>, table: &str| GivenUp {
        sink: sink.map(str::to_owned),
        table: table.into(),
        tables: 1,
        why: "locked".into(),
    };
    let mut taken = Taken::default();
    for given_up in [of(None, "a.b"), of(None, "a.c"), of(Some("crm"), "a.b"), of(Some("crm"), "a.c")] {
        taken.gave_up(given_up);
    }
    assert_eq!(taken.given_up, [of(None, "a.b"), of(None, "a.c"), of(Some("crm"), "a.c")]);
    taken.asked_anew(Some("erp"), &[TableName::new("a", "b")]);
    taken.asked_anew(None, &[TableName::new("a", "c")]);
    assert_eq!(taken.given_up, [of(None, "a.b"), of(Some("crm"), "a.c")]);
    taken.asked_anew(Some("crm"), &[TableName::new("a", "x")]);
    assert_eq!(taken.given_up, [of(None, "a.b")]);
    for number in 0..2 * GIVEN_UP_MAX {
        taken.gave_up(of(None, &format!("t.{number}")));
    }
    assert_eq!(taken.given_up.len(), GIVEN_UP_MAX);
}
