//! Reads letters back: those of keys in quarantine, each event once, in order, and no further than the ledger counts on.
//! What lies behind the last of those is either a repetition, or was stored for a transaction that the destination never
//! committed: then its event comes again.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cdc_mysql_sink::{Change, Held, Origin};
use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Op, Result, Table, TableName};

use super::slip::Slip;
use crate::avro::AvroRow;
use crate::config::SinkConfig;
use crate::kafka::{self, Log, Record};
use crate::pipeline::decoder::{Decoder, change_of, datum};
use crate::pipeline::settings;

/// Changes of a whole table that are applied at a time.
const CHANGES_MAX: usize = 2000;

/// Reads the dead letters of one sink. It blocks.
pub struct Post {
    kafka: kafka::Settings,
    topic: String,
    sink: String,
    bytes: usize,
    decoder: Decoder,
}

/// The first and the last letter of a key: what lies between them makes no difference to its row.
struct Ends {
    first: Record,
    last: Record,
    /// The last event seen of each partition: a key has one, and another where a sink was filled by itself.
    reached: HashMap<(String, i32), i64>,
}

/// What of a key's letters has been found.
#[derive(Default)]
pub struct Found {
    ends: Option<Ends>,
    complete: bool,
    deferred: bool,
}

impl Post {
    /// The post of a sink.
    pub fn new(config: &SinkConfig) -> Result<Self> {
        Ok(Self {
            kafka: settings::kafka(&config.kafka),
            topic: super::topic(&config.topic_prefix),
            sink: config.name.clone(),
            bytes: settings::letter_bytes(&config.limits),
            decoder: Decoder::new(config)?,
        })
    }

    fn log(&self) -> Result<Log> {
        Log::open(&self.kafka, &self.topic)?.ok_or_else(|| {
            Error::new(Kind::DeadLettersMissing, format!("there is no topic {}", self.topic))
                .hint("restore it, or discard the keys and take a new snapshot of their tables")
        })
    }

    /// One pass over the topic for keys of rows: of as many as fit the memory, in their order; the others are
    /// deferred to a pass after it.
    pub fn pass(&mut self, wanted: &[Held]) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = wanted.iter().map(|_| Found::default()).collect();
        let mut index: HashMap<(&TableName, &Bytes), usize> = HashMap::new();
        for (at, held) in wanted.iter().enumerate() {
            index.extend(held.key.as_ref().map(|key| ((&held.table, key), at)));
        }
        let Some(from) = wanted.iter().map(|held| held.letters_from).min() else { return Ok(found) };
        let mut log = self.log()?;
        let (end, mut bytes) = (log.end()?, 0);
        log.seek(from.max(log.beginning()?))?;
        while let Some(record) = log.next_until(end)? {
            let Some(slip) = Slip::read(&record)?.filter(|slip| slip.sink == self.sink) else { continue };
            let key = self.row_of(&slip.topic, &record);
            let at = key.and_then(|key| index.get(&(&slip.table, &key)).copied());
            let Some((held, found)) = at.and_then(|at| Some((wanted.get(at)?, found.get_mut(at)?))) else {
                continue;
            };
            if record.offset >= held.letters_from && is_since(&slip, held) {
                bytes += found.add(record, &slip, held, bytes < self.bytes);
            }
        }
        Ok(found)
    }

    /// The changes of a key, from what a pass has found.
    ///
    /// # Errors
    /// [`Kind::DeadLettersMissing`] where letters are gone that the ledger counts on; what is wrong with them.
    pub fn changes(&mut self, held: &Held, found: Found) -> Result<Vec<Change<AvroRow>>> {
        let Some(ends) = found.ends.filter(|_| found.complete) else {
            return Err(missing(held, &self.topic));
        };
        let mut changes = vec![self.change(&ends.first)?];
        if ends.last.offset != ends.first.offset {
            changes.push(self.change(&ends.last)?);
        }
        Ok(changes)
    }

    /// What the last letter of a key says, as people read it.
    pub fn last_image(&mut self, found: &Found) -> String {
        let Some(ends) = &found.ends else { return "its letters are not there".to_owned() };
        match self.change(&ends.last) {
            Ok(Change { op: Op::Delete, .. }) => "that it was deleted".to_owned(),
            Ok(Change { table, after: Some(row), .. }) => cdc_mysql_sink::image_text(&table, &row),
            Ok(_) => "a change without an image".to_owned(),
            Err(error) => format!("a change that cannot be read ({})", error.what()),
        }
    }

    /// Which row a letter is of, as the ledger has it; `None` where that cannot be told.
    fn row_of(&mut self, topic: &str, record: &Record) -> Option<Bytes> {
        let (key, value) = (record.key.clone().map(Bytes::from), record.value.clone().map(Bytes::from));
        let key = key?;
        match value.map(|value| self.decoder.decode(topic, Some(&key), &value)) {
            Some(Ok((plan, decoded))) => change_of(&plan, decoded, Some(&key), Origin::default()).ok()?.key,
            Some(Err(_)) | None => datum(&key).ok(),
        }
    }

    fn change(&mut self, record: &Record) -> Result<Change<AvroRow>> {
        let place = format!("dead letter at offset {} of {}", record.offset, self.topic);
        let value = record.value.clone().map(Bytes::from);
        let value = value.ok_or_else(|| Error::new(Kind::Decode, format!("{place}: it has no value")))?;
        let key = record.key.clone().map(Bytes::from);
        let slip = Slip::read(record)?
            .ok_or_else(|| Error::new(Kind::Decode, format!("{place}: it has no slip")))?;
        let decoded = self.decoder.decode(&slip.topic, key.as_ref(), &value);
        let change =
            decoded.and_then(|(plan, decoded)| change_of(&plan, decoded, key.as_ref(), Origin::default()));
        change.map_err(|e| e.at(place))
    }

    /// The changes of a whole table, some at a time.
    pub fn table<'p>(&'p mut self, held: &'p Held) -> Result<WholeTable<'p>> {
        let mut log = self.log()?;
        let (beginning, end) = (held.letters_from.max(log.beginning()?), log.end()?);
        log.seek(beginning)?;
        let (reached, kept) = (HashMap::new(), None);
        Ok(WholeTable { post: self, held, log, beginning, end, reached, complete: false, kept, ended: false })
    }
}

impl Found {
    /// Whether another pass is needed for it.
    pub fn is_deferred(&self) -> bool {
        self.deferred
    }

    /// Takes a letter in; returns how many more bytes are held for it.
    fn add(&mut self, record: Record, slip: &Slip, held: &Held, room: bool) -> usize {
        if self.complete {
            return 0;
        }
        self.complete = slip.place() == held.last;
        let size = record.value.as_ref().map_or(0, Vec::len);
        match &mut self.ends {
            None if !room => {
                self.deferred = true;
                0
            }
            None => {
                let reached = HashMap::from([((slip.topic.clone(), slip.partition), slip.offset)]);
                self.ends = Some(Ends { first: record.clone(), last: record, reached });
                2 * size
            }
            Some(ends) => {
                // Else it is written twice, or by a replay once more.
                if is_new(&mut ends.reached, slip) {
                    ends.last = record;
                }
                0
            }
        }
    }
}

/// The letters of a table, some at a time.
pub struct WholeTable<'p> {
    post: &'p mut Post,
    held: &'p Held,
    log: Log,
    beginning: i64,
    end: i64,
    /// The last event seen of each partition.
    reached: HashMap<(String, i32), i64>,
    complete: bool,
    /// A change that must go alone, read already.
    kept: Option<Change<AvroRow>>,
    ended: bool,
}

impl WholeTable<'_> {
    /// The schemas of all changes, each once, in the order of its first. Then it stands at the beginning again.
    ///
    /// # Errors
    /// As [`Post::changes`].
    pub fn schemas(&mut self) -> Result<Vec<Arc<Table>>> {
        let mut schemas: Vec<Arc<Table>> = Vec::new();
        while let Some(changes) = self.next()? {
            for change in changes {
                if !schemas.iter().any(|schema| Arc::ptr_eq(schema, &change.table)) {
                    schemas.push(change.table);
                }
            }
        }
        self.reached.clear();
        (self.complete, self.ended) = (false, false);
        self.log.seek(self.beginning)?;
        Ok(schemas)
    }

    /// The next changes; `None` after the last.
    ///
    /// # Errors
    /// As [`Post::changes`].
    pub fn next(&mut self) -> Result<Option<Vec<Change<AvroRow>>>> {
        let mut changes: Vec<Change<AvroRow>> = self.kept.take().into_iter().collect();
        if changes.first().is_some_and(|change| change.op == Op::Truncate) {
            return Ok(Some(changes));
        }
        let mut bytes = 0;
        while changes.len() < CHANGES_MAX && bytes < self.post.bytes && !self.ended {
            let Some(record) = self.log.next_until(self.end)? else {
                self.ended = true;
                break;
            };
            if !self.is_next(&record)? {
                continue;
            }
            bytes += record.value.as_ref().map_or(0, Vec::len);
            let change = self.post.change(&record)?;
            if change.op != Op::Truncate {
                changes.push(change);
                continue;
            }
            if changes.is_empty() {
                return Ok(Some(vec![change]));
            }
            self.kept = Some(change);
            return Ok(Some(changes));
        }
        match (changes.is_empty(), self.complete) {
            (false, _) => Ok(Some(changes)),
            (true, true) => Ok(None),
            (true, false) => Err(missing(self.held, &self.post.topic)),
        }
    }

    /// Whether a record is the next letter of the table.
    fn is_next(&mut self, record: &Record) -> Result<bool> {
        let Some(slip) = Slip::read(record)? else { return Ok(false) };
        let is_of_table = slip.sink == self.post.sink && slip.table == self.held.table;
        if self.complete || !is_of_table || !is_since(&slip, self.held) {
            return Ok(false);
        }
        self.complete = slip.place() == self.held.last;
        Ok(is_new(&mut self.reached, &slip))
    }
}

/// Whether an event has not been seen yet; from then on it has.
fn is_new(reached: &mut HashMap<(String, i32), i64>, slip: &Slip) -> bool {
    let reached = reached.entry((slip.topic.clone(), slip.partition)).or_insert(-1);
    let new = slip.offset > *reached;
    *reached = slip.offset.max(*reached);
    new
}

/// Whether the event came with or after the one that put the key into quarantine; those before were applied.
fn is_since(slip: &Slip, held: &Held) -> bool {
    let Place { topic, partition, offset } = &held.first;
    slip.topic != *topic || slip.partition != *partition || slip.offset >= *offset
}

fn missing(held: &Held, topic: &str) -> Error {
    let Place { topic: of, partition, offset } = &held.last;
    let what = format!("letters of {} {} are missing from {topic}", held.table, held.shown);
    Error::new(Kind::DeadLettersMissing, what)
        .detail(format!("the ledger counts on that of {of}/{partition} offset {offset}"))
        .hint("discard the key, then take a new snapshot of its table")
}

#[cfg(test)]
mod tests;
