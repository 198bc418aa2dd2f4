//! The files in `connectors/` and the code that reads them tell of the same keys.

use super::*;

/// A file as it is shipped, with all that it leaves to be uncommented, except for names of files.
fn uncommented(text: &str) -> String {
    let setting = |line: &&str| {
        let line = line.trim_start_matches("# ");
        let name = line.split(" = ").next().unwrap_or_default();
        let is_file = ["cert", "key", "ca"].contains(&name);
        line.starts_with('[') || (line.contains(" = ") && !name.contains([' ', ':']) && !is_file)
    };
    text.lines().filter(setting).map(|line| line.trim_start_matches("# ").to_owned() + "\n").collect()
}

/// What a section has, by the error about a key that it has not.
fn keys_of(section: &str, error: &str) -> Vec<String> {
    let names = error.split_once("zzzzzzzzzz' is not a setting; there are: ").unwrap().1;
    let names = names.lines().next().unwrap().split(", ");
    let path = if section.is_empty() { String::new() } else { format!("{section}.") };
    names.map(|name| format!("{path}{name}")).collect()
}

/// Every key of every section, asked of the code that reads them.
fn all_keys(parse: impl Fn(&str) -> String) -> Vec<String> {
    let mut keys = Vec::new();
    let mut sections = vec![String::new()];
    while let Some(section) = sections.pop() {
        let header = match section.as_str() {
            "" => String::new(),
            "route" => "[[route]]\n".to_owned(),
            path => format!("[{path}]\n"),
        };
        let error = parse(&format!("{header}zzzzzzzzzz = 1\n"));
        // Those whose names are not ours take any.
        if error.contains("zzzzzzzzzz' is not a setting") {
            let found = keys_of(&section, &error);
            sections.extend(found.iter().filter(|key| is_section(key)).cloned());
            keys.extend(found);
        }
    }
    keys
}

fn is_section(key: &str) -> bool {
    let sections = [
        "mysql",
        "mysql.tls",
        "kafka",
        "registry",
        "capture",
        "topics",
        "http",
        "limits",
        "apply",
        "group",
        "route",
        "two_way",
        "dead_letter",
    ];
    sections.contains(&key)
}

#[test]
fn the_shipped_files_name_all_there_is() {
    let error = |parsed: cdc_sdk::Error| parsed.to_string();
    let source = |text: &str| error(SourceConfig::parse(text, &around(&[])).unwrap_err());
    let sink = |text: &str| error(SinkConfig::parse(text, &around(&[])).unwrap_err());
    for (shipped, keys) in [
        (include_str!("../../../connectors/mysql-source/connector.toml"), all_keys(source)),
        (include_str!("../../../connectors/mysql-sink/connector.toml"), all_keys(sink)),
    ] {
        assert!(keys.len() > 30, "{keys:?}");
        let lines: Vec<&str> = shipped.lines().map(|line| line.trim_start_matches("# ")).collect();
        for key in keys {
            let name = key.rsplit('.').next().unwrap();
            let is_there = |line: &&str| {
                let told = [format!("[{key}]"), format!("[[{key}]]"), format!("{name} = ")];
                told.iter().any(|start| line.starts_with(start)) || line.contains(&format!("or {name} = "))
            };
            // A sink takes a source's, and has no use for it.
            let is_told =
                lines.iter().any(is_there) || (key == "mysql.server_id" && shipped.contains("# A sink:"));
            assert!(is_told, "{key} is in no line");
        }
    }
}

#[test]
fn the_shipped_files_name_what_there_is() {
    let secrets = [("CDC_SOURCE_PASSWORD", "a"), ("CDC_DEST_PASSWORD", "b"), ("CDC_REGISTRY_PASSWORD", "c")];
    let text = include_str!("../../../connectors/mysql-source/connector.toml");
    SourceConfig::parse(text, &around(&secrets)).unwrap();
    let all = SourceConfig::parse(&uncommented(text), &around(&secrets)).unwrap();
    assert_eq!(all.limits.cut_bytes, 16 * 1024 * 1024);
    assert_eq!(all.server_id, Some(5401));
    assert_eq!((all.debezium.len(), all.topics.retention_ms), (10, Some(604_800_000)));
    let text = include_str!("../../../connectors/mysql-sink/connector.toml");
    SinkConfig::parse(text, &around(&secrets)).unwrap();
    let all = uncommented(text);
    assert!(
        SinkConfig::parse(&all, &around(&secrets)).unwrap_err().to_string().contains("1 setting is wrong")
    );
    // One excludes the other.
    let without = |name: &str| {
        let (before, rest) = all.split_once(name).unwrap();
        let (_, after) = rest.split_once("\n[").unwrap();
        SinkConfig::parse(&format!("{before}[{after}"), &around(&secrets)).unwrap()
    };
    assert!(without("[dead_letter]").two_way.is_some());
    let all = without("[two_way]");
    assert_eq!(all.limits.writers, 2);
    assert_eq!((all.dead_letter.tables.len(), all.dead_letter.keys_max), (1, 1000));
    assert_eq!(all.http.unwrap().port(), 9102);
}
