//! What Kafka's transactions cost, by librdkafka alone, without anything of ours:
//! throughput beside an idempotent producer, and the parts of one commit.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use super::debezium::PARTITIONS;
use super::is_set;
use super::limits::topic;
use super::report::{Sorted, Spread, environment, keep_json};
use crate::kit::{Dice, Options, World};

/// As in Kafka's makers' own comparison: records of 1 KB, a commit every 100 ms.
const RECORD_BYTES: usize = 1024;
const COMMIT_EVERY: Duration = Duration::from_millis(100);
/// So many different ones.
const VALUES: usize = 1000;
/// librdkafka's own, where many records come.
const LINGER: Duration = Duration::from_millis(5);
const COMMITTED: &[u8] = b"committed";
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two commits whose parts are measured: none, and enough for the markers to be written.
const PAUSES: [(&str, Duration); 2] =
    [("at once", Duration::ZERO), ("50 ms later", Duration::from_millis(50))];

/// Both measurements.
pub async fn measure() {
    let (records, runs, commits) = if is_set("QUICK") { (100_000, 3, 100) } else { (500_000, 5, 500) };
    let world = World::with("transactions", &Options::default()).await;
    let [mut with, mut without] = [Vec::new(), Vec::new()];
    // In turns, so that whatever disturbs the machine disturbs both.
    for run in 0..runs {
        with.push(throughput(&world, &format!("with{run}"), true, records).await);
        without.push(throughput(&world, &format!("without{run}"), false, records).await);
    }
    let mut parts = Vec::new();
    for (name, pause) in PAUSES {
        let topic = topic(&world, &format!("parts{}", pause.as_millis()), 1).await;
        let brokers = world.kafka.clone();
        let measured = tokio::task::spawn_blocking(move || commit_parts(&brokers, &topic, pause, commits));
        parts.push((name, measured.await.unwrap()));
    }
    world.end().await;
    tell(&with, &without, &parts);
}

/// Idempotent in both cases; with transactions where it has an id for them.
fn producer(brokers: &str, linger: Duration, transactional_id: Option<&str>) -> BaseProducer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("batch.size", "1000000")
        .set("batch.num.messages", "100000")
        .set("linger.ms", linger.as_millis().to_string());
    if let Some(id) = transactional_id {
        config.set("transactional.id", id);
    }
    let producer: BaseProducer = config.create().unwrap();
    if transactional_id.is_some() {
        producer.init_transactions(PATIENCE).unwrap();
    }
    producer
}

/// rdkafka's own flush looks every 100 ms only.
fn until_stored(producer: &BaseProducer) {
    let begun = Instant::now();
    while producer.in_flight_count() > 0 {
        assert!(begun.elapsed() < PATIENCE, "a record is not stored");
        producer.poll(Duration::ZERO);
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// Records a second, from the first until the last is stored, or committed.
async fn throughput(world: &World, name: &str, in_transactions: bool, records: usize) -> f64 {
    let (topic, brokers) = (topic(world, name, PARTITIONS).await, world.kafka.clone());
    let took = tokio::task::spawn_blocking(move || {
        let producer = producer(&brokers, LINGER, in_transactions.then_some(topic.as_str()));
        let mut dice = Dice::new("records");
        // As dense as rows are: half of it is noise.
        let noisy = |i| if i % 2 == 0 { b'c' } else { dice.below(256) as u8 };
        let values: Vec<u8> = (0..RECORD_BYTES * VALUES).map(noisy).collect();
        let values: Vec<&[u8]> = values.chunks(RECORD_BYTES).collect();
        let begun = Instant::now();
        let mut committed = Instant::now();
        if in_transactions {
            producer.begin_transaction().unwrap();
        }
        for record in 0..records {
            send(&producer, &topic, (record % PARTITIONS as usize) as i32, values[record % VALUES]);
            if in_transactions && committed.elapsed() >= COMMIT_EVERY {
                producer.commit_transaction(PATIENCE).unwrap();
                producer.begin_transaction().unwrap();
                committed = Instant::now();
            }
        }
        match in_transactions {
            true => producer.commit_transaction(PATIENCE).unwrap(),
            false => until_stored(&producer),
        }
        begun.elapsed()
    });
    records as f64 / took.await.unwrap().as_secs_f64()
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &[u8]) {
    let begun = Instant::now();
    let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(value);
    while let Err((cause, refused)) = producer.send(record) {
        assert!(matches!(cause, KafkaError::MessageProduction(Code::QueueFull)), "{cause}");
        assert!(begun.elapsed() < PATIENCE, "the queue stays full");
        producer.poll(Duration::from_millis(1));
        record = refused;
    }
    producer.poll(Duration::ZERO);
}

/// What each commit of one record took, in ms.
#[derive(Default)]
struct Parts {
    /// Until an idempotent producer's record is stored, to compare with.
    plain: Vec<f64>,
    /// Until the record is stored, its partition being new to the transaction.
    flush: Vec<f64>,
    /// From there until the commit has its answer.
    end: Vec<f64>,
    /// From there until a reader of what is committed has the record: the markers.
    markers: Vec<f64>,
}

fn commit_parts(brokers: &str, topic: &str, pause: Duration, commits: usize) -> Parts {
    let mut parts = Parts::default();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let idempotent = producer(brokers, Duration::ZERO, None);
    for _ in 0..commits {
        let begun = Instant::now();
        send(&idempotent, topic, 0, b"plain");
        until_stored(&idempotent);
        parts.plain.push(ms(begun.elapsed()));
        std::thread::sleep(pause);
    }
    let (reader, reads_along) = read_committed(brokers, topic, commits);
    reads_along.recv_timeout(PATIENCE).unwrap();
    let transactional = producer(brokers, Duration::ZERO, Some(topic));
    let mut ends = Vec::new();
    for _ in 0..commits {
        let begun = Instant::now();
        transactional.begin_transaction().unwrap();
        send(&transactional, topic, 0, COMMITTED);
        until_stored(&transactional);
        let flushed = Instant::now();
        transactional.commit_transaction(PATIENCE).unwrap();
        parts.flush.push(ms(flushed - begun));
        parts.end.push(ms(flushed.elapsed()));
        ends.push(Instant::now());
        std::thread::sleep(pause);
    }
    let reads = reader.join().unwrap();
    parts.markers =
        reads.iter().zip(ends).map(|(read, end)| ms(read.saturating_duration_since(end))).collect();
    parts
}

/// When a reader had each of the committed records; and word of the first record of any kind.
fn read_committed(brokers: &str, topic: &str, records: usize) -> (JoinHandle<Vec<Instant>>, Receiver<()>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", topic)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let (reads_along, first) = sync_channel(1);
    let reader = std::thread::spawn(move || {
        let mut reads = Vec::new();
        while reads.len() < records {
            let message = consumer.poll(PATIENCE).expect("a record comes").unwrap();
            let _ = reads_along.try_send(());
            if message.payload() == Some(COMMITTED) {
                reads.push(Instant::now());
            }
        }
        reads
    });
    (reader, first)
}

fn tell(with: &[f64], without: &[f64], parts: &[(&str, Parts)]) {
    let [of_with, of_without] = [with, without].map(|all| Spread::of(all.iter().copied()).unwrap());
    let ratios = with.iter().zip(without).map(|(with, without)| with / without);
    let ratio = Spread::of(ratios).unwrap();
    println!(
        "records of 1 KB/s: in transactions {:.0} ({:.0} to {:.0}), idempotent {:.0} ({:.0} to {:.0}), \
         ratio of pairs {:.2} ({:.2} to {:.2})",
        of_with.median,
        of_with.min,
        of_with.max,
        of_without.median,
        of_without.min,
        of_without.max,
        ratio.median,
        ratio.min,
        ratio.max
    );
    println!("| a commit of one record, ms | median | 99 % |\n|---|---|---|");
    let mut all = environment();
    all["records_per_second"] = json!({"transactions": of_with.json(), "idempotent": of_without.json()});
    for (pause, parts) in parts {
        for (part, ms) in [
            ("stored, without a transaction", &parts.plain),
            ("flush: partition added, record stored", &parts.flush),
            ("end of the transaction answered", &parts.end),
            ("markers written, record read", &parts.markers),
        ] {
            let delays = Sorted::new(ms.clone());
            println!("| {part}; next {pause} | {:.2} | {:.2} |", delays.at(0.5), delays.at(0.99));
            all["commit_ms"][pause][part] = json!({"median": delays.at(0.5), "p99": delays.at(0.99)});
        }
    }
    keep_json("transactions", &all);
}
