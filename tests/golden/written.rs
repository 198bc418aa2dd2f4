//! What a source wrote of a table, in a form that does not depend on who wrote it and where.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use bytes::Bytes;
use cdc::avro::{Registry, RegistrySettings, frame_id};
use cdc::kafka::{Log, Settings};

use super::FOR_SINK;
use crate::kit::World;

/// The name that stands for prefix and database alike.
const NAME: &str = "golden";

/// Schemas and records of one table.
#[derive(Debug, Default)]
pub struct Written {
    /// The key's schema; empty where keys are null.
    pub key_schema: String,
    /// The value's schema.
    pub value_schema: String,
    /// One line each: key and value whole, as hexadecimal digits.
    pub whole: Vec<String>,
    /// One line each: op (`-` for a tombstone), key and rows as hexadecimal digits.
    pub records: Vec<String>,
}

/// Who wrote: what its topics and schemas are called, and the version in its `source` blocks.
pub struct Writer<'a> {
    pub kafka: &'a str,
    pub registry: &'a str,
    pub prefix: &'a str,
    pub database: &'a str,
    pub version: &'a str,
}

impl<'w> Writer<'w> {
    /// This program, as it writes in a world.
    pub fn ours(world: &'w World) -> Self {
        let (prefix, database) = (world.name.as_str(), world.name.as_str());
        Self {
            kafka: &world.kafka,
            registry: &world.registry,
            prefix,
            database,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Reads a topic of one partition from beginning to end.
    pub async fn read(&self, table: &str) -> Written {
        let settings = RegistrySettings { url: self.registry.to_owned(), ..RegistrySettings::default() };
        let registry = Registry::new(settings).unwrap();
        let topic = format!("{}.{}.{table}", self.prefix, self.database);
        let mut written = Written::default();
        for (key, value) in self.records(&topic) {
            if let Some(key) = &key {
                self.note(&registry, key, &mut written.key_schema).await;
            }
            let key = key.map_or_else(|| "null".to_owned(), |key| hex(&key[5..]));
            let whole = value.as_ref().map_or_else(|| "null".to_owned(), |value| hex(&value[5..]));
            written.whole.push(format!("{key} {whole}"));
            let Some(value) = value else {
                written.records.push(format!("- {key} -"));
                continue;
            };
            let schema = self.note(&registry, &value, &mut written.value_schema).await;
            written.records.push(format!("{} {key} {}", op(&schema, &value), hex(self.rows(&value))));
        }
        written
    }

    /// Records a topic beside the data: its schemas, and what its records say, as JSON.
    pub async fn record_beside(&self, topic: &str, name: &str) {
        let settings = RegistrySettings { url: self.registry.to_owned(), ..RegistrySettings::default() };
        let registry = Registry::new(settings).unwrap();
        let mut written = Written::default();
        for (key, value) in self.records(topic) {
            let (key, value) = (key.unwrap(), value.unwrap());
            let key_schema = self.note(&registry, &key, &mut written.key_schema).await;
            let schema = self.note(&registry, &value, &mut written.value_schema).await;
            let line = format!("{} {}", json(&key_schema, &key), json(&schema, &value));
            written.records.push(self.neutral(&line));
        }
        written.record("beside", name);
    }

    /// The schemas of a topic beside the data, and the values of its records.
    pub async fn read_beside(&self, topic: &str) -> (String, String, Vec<serde_json::Value>) {
        let settings = RegistrySettings { url: self.registry.to_owned(), ..RegistrySettings::default() };
        let registry = Registry::new(settings).unwrap();
        let (mut key_schema, mut value_schema, mut values) = (String::new(), String::new(), Vec::new());
        for (key, value) in self.records(topic) {
            let (key, value) = (key.unwrap(), value.unwrap());
            self.note(&registry, &key, &mut key_schema).await;
            let schema = self.note(&registry, &value, &mut value_schema).await;
            let text = json(&schema, &value).to_string();
            values.push(serde_json::from_str(&self.neutral(&text)).unwrap());
        }
        (key_schema, value_schema, values)
    }

    /// The events of a table's topic.
    pub async fn events(&self, topic: &str) -> Vec<serde_json::Value> {
        let settings = RegistrySettings { url: self.registry.to_owned(), ..RegistrySettings::default() };
        let registry = Registry::new(settings).unwrap();
        let mut events = Vec::new();
        for value in self.records(topic).into_iter().filter_map(|(_, value)| value) {
            let schema = registry.schema(frame_id(&value).unwrap()).await.unwrap();
            events.push(json(&schema, &value));
        }
        events
    }

    /// A text in which prefix and database are called [`NAME`].
    fn neutral(&self, text: &str) -> String {
        text.replace(self.prefix, NAME).replace(self.database, NAME)
    }

    /// How many records a topic has; none where it is not there.
    pub fn count(&self, topic: &str) -> usize {
        self.records(topic).len()
    }

    /// Keys and values, frames included; none where the topic is not there.
    pub fn records(&self, topic: &str) -> Vec<(Option<Bytes>, Option<Bytes>)> {
        let settings = Settings { bootstrap_servers: self.kafka.to_owned(), ..Settings::default() };
        let Some(mut log) = Log::open(&settings, topic).unwrap() else { return Vec::new() };
        let mut records = Vec::new();
        log.read_all(|record| {
            records.push((record.key.map(Bytes::from), record.value.map(Bytes::from)));
            Ok(())
        })
        .unwrap();
        records
    }

    /// The schema of a message, which is that of all messages before.
    async fn note(&self, registry: &Registry, message: &[u8], noted: &mut String) -> Arc<str> {
        let schema = registry.schema(frame_id(message).unwrap()).await.unwrap();
        let neutral = self.neutral(&schema);
        assert!(noted.is_empty() || *noted == neutral, "two schemas: {noted} and {neutral}");
        *noted = neutral;
        schema
    }

    /// The bytes of both rows, with the branches of their unions: what stands before `source`, which
    /// begins with the program's version and the connector's name.
    fn rows<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        let mut mark = vec![u8::try_from(self.version.len() * 2).unwrap()];
        mark.extend_from_slice(self.version.as_bytes());
        mark.extend_from_slice(b"\x0amysql");
        let end = value.windows(mark.len()).position(|window| window == mark);
        &value[5..end.expect("a source block of that version")]
    }
}

impl Written {
    /// What was recorded of a table in a set.
    pub fn recorded(set: &str, table: &str) -> Self {
        let read = |ending: &str| std::fs::read_to_string(file(set, table, ending)).unwrap_or_default();
        Self {
            key_schema: read("key.avsc").trim_end().to_owned(),
            value_schema: read("value.avsc").trim_end().to_owned(),
            whole: read("whole").lines().map(str::to_owned).collect(),
            records: read("records").lines().map(str::to_owned).collect(),
        }
    }

    /// Stores it.
    pub fn record(&self, set: &str, table: &str) {
        let write = |ending: &str, text: &str| {
            if !text.is_empty() {
                let file = file(set, table, ending);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, format!("{text}\n")).unwrap();
            }
        };
        write("key.avsc", &self.key_schema);
        write("value.avsc", &self.value_schema);
        write("records", &self.records.join("\n"));
        if set == FOR_SINK {
            write("whole", &self.whole.join("\n"));
        }
    }
}

/// The folder with what Debezium wrote.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/debezium"))
}

/// The schemas of a topic beside the data, of keys and of values.
pub fn recorded_beside(name: &str) -> (String, String) {
    let recorded = Written::recorded("beside", name);
    (recorded.key_schema, recorded.value_schema)
}

/// The database that the recorded events name.
pub fn recorded_database() -> String {
    std::fs::read_to_string(folder().join("DATABASE")).unwrap().trim_end().to_owned()
}

fn file(set: &str, table: &str, ending: &str) -> PathBuf {
    folder().join(set).join(format!("{table}.{ending}"))
}

/// A message, by a reader of Avro that is none of ours.
fn read(schema: &str, message: &[u8]) -> Value {
    let schema = Schema::parse_str(schema).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    reader.read_value(&mut &message[5..]).unwrap()
}

fn json(schema: &str, message: &[u8]) -> serde_json::Value {
    read(schema, message).try_into().unwrap()
}

fn op(schema: &str, message: &[u8]) -> String {
    let Value::Record(fields) = read(schema, message) else { panic!("no record") };
    match fields.into_iter().find(|(name, _)| name == "op") {
        Some((_, Value::String(op))) => op,
        other => panic!("{other:?}"),
    }
}

/// The reverse of [`hex`].
pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
