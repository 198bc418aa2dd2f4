//! `[debezium]`: options under Debezium's own names.
//!
//! What they mean is [`Modes`]' to say, name by name and value by value. A name
//! that has a setting of its own here is refused with that setting, since two
//! places for one thing would contradict each other some day. The names are those
//! of "Debezium connector for MySQL", chapter "Connector properties".

use std::collections::BTreeMap;

use super::document::Document;
use crate::envelope::Modes;

/// Debezium's name and the setting that stands for it here.
const OURS: &[(&str, &str)] = &[
    ("database.exclude.list", "[capture] exclude"),
    ("database.hostname", "[mysql] host"),
    ("database.include.list", "[capture] include"),
    ("database.password", "[mysql] password"),
    ("database.port", "[mysql] port"),
    ("database.server.id", "[mysql] server_id"),
    ("database.ssl.mode", "[mysql.tls] mode"),
    ("database.user", "[mysql] user"),
    ("max.batch.size", "[limits] cut_bytes"),
    ("max.queue.size.in.bytes", "[limits] memory_bytes"),
    ("poll.interval.ms", "[limits] cut_interval_ms"),
    ("snapshot.fetch.size", "[capture] chunk_rows"),
    ("snapshot.max.threads", "[capture] readers"),
    ("snapshot.mode", "[capture] snapshot"),
    ("table.exclude.list", "[capture] exclude"),
    ("table.include.list", "[capture] include"),
    ("topic.creation.default.partitions", "[topics] partitions"),
    ("topic.creation.default.replication.factor", "[topics] replication_factor"),
    ("topic.prefix", "[topics] prefix"),
];

/// Reads the section.
pub(super) fn options(document: &mut Document<'_>) -> BTreeMap<String, String> {
    let mut root = document.root();
    let mut section = root.section("debezium");
    let mut options = BTreeMap::new();
    for (name, value, line) in section.entries() {
        match OURS.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) => section.wrong_at(line, &name, format!("the setting for it here is {ours}")),
            None => {
                // One at a time, so that each mistake has its line.
                let alone = BTreeMap::from([(name.clone(), value.clone())]);
                if let Err(error) = Modes::from_options(&alone) {
                    let why = error.what().trim_start_matches("[debezium]: ");
                    section.note_at(line, &format!("[debezium] {why}"));
                }
            }
        }
        options.insert(name, value);
    }
    section.close_open_ended();
    options
}
