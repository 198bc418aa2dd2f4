//! The header of a letter: why it is one, and what it was.

use std::fmt;

use cdc_mysql_sink::Letter;
use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Result, TableName};
use serde::{Deserialize, Serialize};

use crate::avro::SourcePlace;
use crate::kafka::{Record, Stamp};
use crate::observe::now_us;

/// Name of the header.
pub const HEADER: &str = "cdc.dead-letter";

/// The version that this program writes and reads.
const VERSION: u32 = 1;

/// What the header says, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slip {
    version: u32,
    /// Where the event's own record stands, as `topic-partition-offset`: the same for the same event.
    pub id: String,
    /// The sink that could not apply it.
    pub sink: String,
    /// The source's table.
    pub table: TableName,
    /// The key in quarantine, as people read it.
    pub key: String,
    /// The event's own record.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its time, ms since 1970.
    pub timestamp_ms: i64,
    /// The cut that it belongs to, as incarnation.sequence.
    pub cut: Option<String>,
    /// Its number among the events of that cut in its partition.
    pub ordinal: Option<u64>,
    /// Where the change stands in the source's log, where that can be read.
    pub source: Option<Source>,
    /// The code of the key's first error.
    pub error_code: String,
    /// Its text.
    pub error: String,
    /// When the letter was written, ms since 1970.
    pub at_ms: i64,
}

/// A place in the source's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    gtid: Option<String>,
    file: String,
    pos: i64,
}

impl Slip {
    /// The slip of a letter whose record has been read.
    pub fn new(sink: &str, letter: &Letter, place: &Place, record: &Record) -> Result<Self> {
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
        let stamp = Stamp::decode(headers)?;
        Ok(Self {
            version: VERSION,
            id: id(place),
            sink: sink.to_owned(),
            table: letter.table.clone(),
            key: letter.key.to_string(),
            topic: place.topic.clone(),
            partition: place.partition,
            offset: place.offset,
            timestamp_ms: record.timestamp_ms,
            cut: stamp.map(|stamp| stamp.cut.to_string()),
            ordinal: stamp.map(|stamp| stamp.ordinal),
            source: None,
            error_code: letter.why.code.clone(),
            error: letter.why.text.clone(),
            at_ms: now_us() / 1000,
        })
    }

    /// With where the change stands in the source's log.
    pub fn at_source(self, place: Option<SourcePlace>) -> Self {
        let source = place.map(|SourcePlace { gtid, file, pos, .. }| Source { gtid, file, pos });
        Self { source, ..self }
    }

    /// The header's value.
    pub fn write(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::new(Kind::Bug, "a dead letter's header cannot be written").caused_by(e))
    }

    /// The slip among a record's headers; `None` for a record that is no letter of ours.
    ///
    /// # Errors
    /// [`Kind::UnknownVersion`], or [`Kind::Decode`] for damage.
    pub fn read(record: &Record) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Some((_, value)) = record.headers.iter().rev().find(|(name, _)| name == HEADER) else {
            return Ok(None);
        };
        let damaged = |e: serde_json::Error| {
            Error::new(Kind::Decode, format!("the dead letter at offset {} cannot be read", record.offset))
                .caused_by(e)
        };
        let Version { version } = serde_json::from_slice(value).map_err(damaged)?;
        if version != VERSION {
            let what = format!("the dead letter at offset {} has version {version}", record.offset);
            return Err(Error::new(Kind::UnknownVersion, what)
                .detail(format!("this program reads version {VERSION}"))
                .hint("run the version of cdc that wrote it, or a newer one"));
        }
        serde_json::from_slice(value).map(Some).map_err(damaged)
    }

    /// Where the event's own record stands.
    pub fn place(&self) -> Place {
        Place { topic: self.topic.clone(), partition: self.partition, offset: self.offset }
    }
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.table, self.key, self.id)
    }
}

fn id(place: &Place) -> String {
    format!("{}-{}-{}", place.topic, place.partition, place.offset)
}

#[cfg(test)]
mod tests;
