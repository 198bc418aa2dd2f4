//! Writes letters: each event's own record is read once more from where it stands, so that
//! nothing of it had to be kept for the many that never become one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use cdc_mysql_sink::{DeadLetters, Keeping, Letter, Origin};
use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Result};
use tokio::sync::OnceCell;

use super::slip::{HEADER, Slip};
use crate::avro::SourcePlace;
use crate::config::SinkConfig;
use crate::kafka::{self, Admin, BROKERS_TIME, Keeps, LARGEST_RECORD, Log, Outbox, Record, TopicSpec};
use crate::pipeline::decoder::Decoder;
use crate::pipeline::settings;
use crate::pipeline::streams::Streams;

/// Partitions that are held open for reading records once more.
const LOGS_MAX: usize = 16;

/// Records read through to the next letter, rather than beginning anew.
const READ_THROUGH_MAX: i64 = 5000;

/// Where a sink's dead letters go.
pub struct Office {
    kafka: kafka::Settings,
    topic: String,
    sink: String,
    bytes: usize,
    streams: Streams,
    /// Connected once the topic is there.
    admin: OnceCell<Admin>,
    /// Held by one batch at a time.
    desk: Mutex<Desk>,
}

struct Desk {
    logs: HashMap<u32, Log>,
    outbox: Option<Outbox>,
    decoder: Decoder,
}

impl Office {
    /// The office of a sink. Nothing is opened before the first letter.
    pub fn new(config: &SinkConfig, streams: &Streams) -> Result<Self> {
        let desk = Desk { logs: HashMap::new(), outbox: None, decoder: Decoder::new(config)? };
        Ok(Self {
            kafka: settings::kafka(&config.kafka),
            topic: super::topic(&config.topic_prefix),
            sink: config.name.clone(),
            bytes: settings::letter_bytes(&config.limits),
            streams: streams.clone(),
            admin: OnceCell::new(),
            desk: Mutex::new(desk),
        })
    }

    /// Makes the topic where it is missing.
    async fn open(&self) -> Result<Admin> {
        let admin = Admin::connect(&self.kafka)?;
        // A letter is larger than its event: what the data topic takes must fit here.
        let settings = [Keeps::All.settings(), &[(LARGEST_RECORD, "1000000000"), BROKERS_TIME]].concat();
        let config = settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        admin.create(TopicSpec { name: self.topic.clone(), partitions: 1, replication: -1, config }).await?;
        Ok(admin)
    }

    /// Where the topic ends.
    async fn end(&self) -> Result<i64> {
        let admin = self.admin.get_or_try_init(|| self.open()).await?;
        let ends = admin.ends(vec![(self.topic.clone(), 0)]).await?;
        Ok(ends.first().map_or(0, |end| end.offset))
    }

    /// Sends letters in the order of their records, and waits until they are stored.
    fn send(&self, letters: &[Letter]) -> Result<()> {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<&Letter> = letters.iter().collect();
        sorted.sort_by_key(|letter| (letter.origin.stream, letter.origin.offset));
        let outbox = match desk.outbox.take() {
            Some(outbox) => outbox,
            None => Outbox::open(&self.kafka, self.bytes)?,
        };
        for letter in sorted {
            let record = self.letter(&mut desk, letter)?;
            outbox.send(&self.topic, 0, &record)?;
        }
        outbox.flush()?;
        // After an error it is not kept: a new one is opened.
        desk.outbox = Some(outbox);
        Ok(())
    }

    /// The event's own record, with the slip.
    fn letter(&self, desk: &mut Desk, letter: &Letter) -> Result<Record> {
        let place = self.streams.place(letter.origin);
        let mut record = self.read_again(desk, letter.origin, &place)?;
        let slip = Slip::new(&self.sink, letter, &place, &record)?;
        let slip = slip.at_source(source_place(&mut desk.decoder, &place.topic, &record));
        tracing::debug!(%slip, "a dead letter");
        record.headers.push((HEADER.to_owned(), slip.write()?));
        Ok(record)
    }

    fn read_again(&self, desk: &mut Desk, origin: Origin, place: &Place) -> Result<Record> {
        if desk.logs.len() >= LOGS_MAX && !desk.logs.contains_key(&origin.stream) {
            desk.logs.clear();
        }
        let near = |log: &Log| (0..READ_THROUGH_MAX).contains(&(place.offset - log.position()));
        let mut log = match desk.logs.remove(&origin.stream).filter(near) {
            Some(log) => log,
            None => Log::of_partition(&self.kafka, &place.topic, place.partition, place.offset)?,
        };
        while let Some(record) = log.next_until(place.offset + 1)? {
            if record.offset == place.offset {
                desk.logs.insert(origin.stream, log);
                return Ok(record);
            }
        }
        let Place { topic, partition, offset } = place;
        Err(Error::new(
            Kind::EventsMissing,
            format!("the record at {topic}/{partition} offset {offset} is gone"),
        )
        .detail("it was read a moment ago, and is to become a dead letter")
        .hint("retention or compaction took it: keep the topic's records for longer"))
    }
}

/// Where the change stands in the source's log; `None` where that cannot be read.
fn source_place(decoder: &mut Decoder, topic: &str, record: &Record) -> Option<SourcePlace> {
    let value = Bytes::from(record.value.clone()?);
    let key = record.key.clone().map(Bytes::from);
    let (plan, _) = decoder.decode(topic, key.as_ref(), &value).ok()?;
    plan.source_place(&value).ok()
}

impl DeadLetters for Office {
    fn place(&self, origin: Origin) -> Place {
        self.streams.place(origin)
    }

    fn keep<'a>(&'a self, letters: &'a [Letter]) -> Keeping<'a> {
        Box::pin(async move {
            let from = self.end().await?;
            tokio::task::block_in_place(|| self.send(letters))?;
            Ok(from)
        })
    }
}
