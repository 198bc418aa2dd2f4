//! `prefix.control`: commands to a running source, and what became of each.
//!
//! One partition, kept for ever: the record of who asked for what. A command is a record
//! under the key `command/ID`, its answer one under `answer/ID`. The source follows the topic
//! while it runs and takes one command after the other, between two transactions. The answer and
//! the offset behind the command (in `prefix.state`) are written in the Kafka transaction of
//! what the command did. So a command is done once, whatever dies when: before that transaction
//! is committed nothing of it is there, and after it the command lies behind.
//!
//! A command waits for a source that does not run: it is taken at the next start.

use std::time::{Duration, Instant};

use cdc_sdk::{CutId, Error, Kind, Result, TableName};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use super::cut_writer::OwnTopics;
use super::settings;
use crate::avro::Registry;
use crate::avro::records::{self, ControlIds};
use crate::config::{KafkaConfig, RegistryConfig};
use crate::kafka::{self, Admin, Log, Publisher, Record};
use crate::observe::now_us;

/// Commands that wait between the follower and the source.
const COMMANDS_WAITING: usize = 4;

/// One wait for Kafka; between two of them the follower notices that it is to end.
const WAIT: Duration = Duration::from_millis(200);

/// What a publisher of commands holds at most: a command is small.
const COMMAND_BYTES_MAX: usize = 1 << 20;

/// Keys of the topic.
const COMMAND_KEY: &str = "command/";
const ANSWER_KEY: &str = "answer/";

/// What a source can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Read tables once more.
    Snapshot {
        /// Which, as `[capture] include` names them.
        tables: Vec<String>,
        /// Of one table, only the rows for which this SQL expression holds.
        condition: Option<String>,
        /// Sinks empty the tables first.
        empty_first: bool,
        /// The one sink that it is for.
        sink: Option<String>,
    },
    /// Begin no more chunks.
    Pause {},
    /// Go on after a pause.
    Resume {},
    /// End the snapshots that were asked for.
    Stop {},
}

/// What became of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// What was done, or why it was refused.
    pub text: String,
    /// What to do about a refusal.
    pub hint: Option<String>,
    /// The cut that it was taken in, as incarnation and sequence.
    pub cut: Option<(u64, u64)>,
    /// The tables that it is about.
    pub tables: Vec<(String, String)>,
}

impl Answer {
    /// To a command that could not be carried out.
    pub fn refused(error: &Error) -> Self {
        let text = match error.detail_text() {
            Some(detail) => format!("{} ({detail})", error.what()),
            None => error.what().to_owned(),
        };
        Self { done: false, text, hint: error.hint_text().map(str::to_owned), ..Self::default() }
    }

    /// The answer as a result: a refusal is an error.
    ///
    /// # Errors
    /// [`Kind::Refused`].
    pub fn into_result(self) -> Result<Self> {
        if self.done {
            return Ok(self);
        }
        let error = Error::new(Kind::Refused, self.text);
        Err(match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    /// The cut that the command was taken in.
    pub fn cut_id(&self) -> Option<CutId> {
        self.cut.map(|(incarnation, sequence)| CutId { incarnation, sequence })
    }
}

/// What a source keeps in `prefix.state` of the commands that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    version: u32,
    /// The offset behind the last command taken.
    pub next_offset: i64,
    /// No chunk is begun.
    pub paused: bool,
    /// The sinks that wait for a snapshot of their own.
    pub sinks: Vec<String>,
    /// What was asked for and could not be done, until it is asked for again. Older programs neither have nor miss it.
    #[serde(default)]
    pub given_up: Vec<GivenUp>,
}

/// A snapshot that was asked for and could not be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// The one sink that it was for.
    pub sink: Option<String>,
    /// The table that could not be read.
    pub table: String,
    /// How many were given up together.
    pub tables: usize,
    /// What went wrong.
    pub why: String,
}

/// The version of [`Taken`] as it is stored.
const VERSION: u32 = 1;

/// How many snapshots are remembered that were given up.
const GIVEN_UP_MAX: usize = 16;

impl Taken {
    /// Remembers what was given up, in place of what is older of the same.
    pub fn gave_up(&mut self, given_up: GivenUp) {
        self.given_up.retain(|other| !other.is_of(given_up.sink.as_deref(), &given_up.table));
        self.given_up.push(given_up);
        let over = self.given_up.len().saturating_sub(GIVEN_UP_MAX);
        self.given_up.drain(..over);
    }

    /// These tables have been asked for anew.
    pub fn asked_anew(&mut self, sink: Option<&str>, tables: &[TableName]) {
        self.given_up.retain(|of| !tables.iter().any(|table| of.is_of(sink, &table.to_string())));
    }

    /// As it is stored.
    ///
    /// # Errors
    /// [`Kind::Bug`], which no value causes.
    pub fn to_json(&self) -> Result<String> {
        let versioned = Self { version: VERSION, ..self.clone() };
        serde_json::to_string(&versioned).map_err(unwritable)
    }

    /// The reverse of [`Taken::to_json`].
    ///
    /// # Errors
    /// [`Kind::UnknownVersion`] for anything else.
    pub fn from_json(text: &str) -> Result<Self> {
        let unknown = || {
            Error::new(Kind::UnknownVersion, "the stored state of the control topic cannot be read")
                .detail(text.to_owned())
                .hint("run the version of cdc that wrote it, or a newer one")
        };
        let taken: Self = serde_json::from_str(text).map_err(|_| unknown())?;
        if taken.version == VERSION { Ok(taken) } else { Err(unknown()) }
    }
}

impl GivenUp {
    /// Whether it is what this sink asked for, or everybody of this table.
    fn is_of(&self, sink: Option<&str>, table: &str) -> bool {
        self.sink.as_deref() == sink && (sink.is_some() || self.table == table)
    }
}

/// The key of the answer to a command.
pub fn answer_key(id: &str) -> String {
    format!("{ANSWER_KEY}{id}")
}

/// An answer as it is stored.
///
/// # Errors
/// [`Kind::Bug`], which no value causes.
pub fn answer_json(answer: &Answer) -> Result<String> {
    serde_json::to_string(answer).map_err(unwritable)
}

/// A command as the source meets it.
#[derive(Debug)]
pub struct Received {
    /// The offset behind it.
    pub next_offset: i64,
    /// Its id.
    pub id: String,
    /// What it says; an error to be answered where this program does not understand it.
    pub command: Result<Command>,
}

/// Follows the topic, on a thread of its own, until it is dropped.
pub struct Follower {
    received: mpsc::Receiver<Result<Received>>,
}

impl Follower {
    /// Begins at the offset behind the last command taken. `log`: the topic, where it is there.
    ///
    /// # Errors
    /// [`Kind::TopicChanged`] where it is not; those of [`Log::seek`].
    pub fn start(log: Option<Log>, topic: &str, next_offset: i64) -> Result<Self> {
        let mut log = log.ok_or_else(|| Error::new(Kind::TopicChanged, format!("topic {topic} is gone")))?;
        let (beginning, end) = (log.beginning()?, log.end()?);
        if !(beginning..=end).contains(&next_offset) {
            tracing::warn!(topic, next_offset, beginning, end, "the control topic was made anew");
        }
        log.seek(next_offset.clamp(beginning, end))?;
        let (sender, received) = mpsc::channel(COMMANDS_WAITING);
        tokio::task::spawn_blocking(move || follow(&mut log, &sender));
        Ok(Self { received })
    }

    /// The next command. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of [`Log::next`].
    pub async fn next(&mut self) -> Result<Received> {
        let ended = || Err(Error::new(Kind::Bug, "the follower of the control topic has ended"));
        self.received.recv().await.unwrap_or_else(ended)
    }
}

fn follow(log: &mut Log, sender: &mpsc::Sender<Result<Received>>) {
    while !sender.is_closed() {
        let sent = match log.next(WAIT) {
            Ok(None) => continue,
            Ok(Some(record)) => match received(&record) {
                None => continue,
                Some(received) => sender.blocking_send(Ok(received)),
            },
            Err(error) => {
                let _ = sender.blocking_send(Err(error));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// A command; `None` for answers, and for what is no record of ours.
fn received(record: &Record) -> Option<Received> {
    let key = record.key.as_deref().and_then(|key| records::decode_key(key).ok());
    let (Some(key), Some(value)) = (key, &record.value) else {
        tracing::warn!(offset = record.offset, "a record of the control topic is not one of cdc's");
        return None;
    };
    let id = key.strip_prefix(COMMAND_KEY)?.to_owned();
    Some(Received { next_offset: record.offset + 1, id, command: command(value) })
}

fn command(value: &[u8]) -> Result<Command> {
    let refused = |why: String| {
        Error::new(Kind::Refused, "the source does not understand the command")
            .detail(why)
            .hint("send it with the version of cdc that the source runs")
    };
    let json = records::decode_control_value(value).map_err(|e| refused(e.what().to_owned()))?;
    serde_json::from_str(&json).map_err(|e| refused(e.to_string()))
}

/// Where commands are sent.
pub struct Desk<'a> {
    /// The brokers.
    pub kafka: &'a KafkaConfig,
    /// The registry.
    pub registry: &'a RegistryConfig,
    /// The topic prefix of the source.
    pub prefix: &'a str,
}

impl Desk<'_> {
    /// Sends a command and waits for its answer, at most that long.
    ///
    /// # Errors
    /// [`Kind::Refused`]; [`Kind::NoAnswer`] where the source does not take it in time; what Kafka and
    /// the registry can run into.
    pub async fn ask(&self, command: &Command, wait: Duration) -> Result<Answer> {
        let kafka = settings::kafka(self.kafka);
        let topic = OwnTopics::of(self.prefix).control;
        if Admin::connect(&kafka)?.partitions(&topic).await?.is_none() {
            return Err(Error::new(Kind::NoAnswer, format!("there is no topic {topic}"))
                .hint("start the source once (cdc source -c …): it makes the topic"));
        }
        let ids = ControlIds::register(&Registry::new(settings::registry(self.registry))?, &topic).await?;
        let json = serde_json::to_string(command).map_err(unwritable)?;
        let answer = block_in_place(|| -> Result<_> {
            let mut log = Log::open(&kafka, &topic)?
                .ok_or_else(|| Error::new(Kind::TopicChanged, format!("topic {topic} is gone")))?;
            // What is sent now lies behind.
            log.seek(log.end()?)?;
            let id = send(&kafka, self.prefix, &topic, ids, &json)?;
            await_answer(&mut log, &id, wait)
        })?;
        answer.ok_or_else(|| not_taken(&topic, wait))?.into_result()
    }
}

/// Returns the command's id. One publisher for all commands of a prefix: what one that was killed
/// left open, the next one ends.
fn send(kafka: &kafka::Settings, prefix: &str, topic: &str, ids: ControlIds, json: &str) -> Result<String> {
    let mut publisher = Publisher::open(kafka, &format!("cdc-control-{prefix}"), COMMAND_BYTES_MAX)?;
    let asked_us = now_us();
    let id = format!("{asked_us}-{}", std::process::id());
    let key = records::encode_key(&format!("{COMMAND_KEY}{id}"), ids.key);
    let value = records::encode_control_value(json, ids.value)?;
    publisher.begin()?;
    publisher.send(topic, 0, Some(&key), Some(&value), &[], asked_us / 1000)?;
    publisher.commit()?;
    Ok(id)
}

fn await_answer(log: &mut Log, id: &str, wait: Duration) -> Result<Option<Answer>> {
    let deadline = Instant::now() + wait;
    let wanted = answer_key(id);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(Record { key: Some(key), value: Some(value), .. }) = log.next(left.min(WAIT))? else {
            if left.is_zero() {
                return Ok(None);
            }
            continue;
        };
        if records::decode_key(&key).is_ok_and(|key| key == wanted) {
            let json = records::decode_control_value(&value)?;
            let unreadable = |e| Error::new(Kind::Decode, "the source's answer cannot be read").caused_by(e);
            return serde_json::from_str(&json).map(Some).map_err(unreadable);
        }
    }
}

fn not_taken(topic: &str, wait: Duration) -> Error {
    Error::new(Kind::NoAnswer, format!("the source did not take the command in {} s", wait.as_secs()))
        .detail(format!("it lies on {topic} and will be taken when the source runs"))
        .hint("start the source, or see why it does not go on: cdc status -c source.toml")
}

fn unwritable(cause: serde_json::Error) -> Error {
    Error::new(Kind::Bug, "a record of the control topic cannot be written").caused_by(cause)
}

#[cfg(test)]
mod tests;
