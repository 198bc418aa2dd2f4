//! A dead-letter office in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use cdc_mysql_sink::{Change, DeadLetters, Keeping, Letter, Origin, Sink};
use cdc_sdk::cut::Place;
use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Error, Kind, OwnedRow};

use crate::world::*;

/// Keeps letters, and what the ledger said when they came.
#[derive(Default)]
pub struct Office {
    letters: Mutex<Vec<Letter>>,
    ledgers: Mutex<Vec<Option<u64>>>,
    world: Mutex<Option<World>>,
    out_of_order: AtomicBool,
}

impl Office {
    pub fn new(world: &World) -> Arc<Self> {
        Arc::new(Self { world: Mutex::new(Some(world.clone())), ..Self::default() })
    }

    /// Offsets of the letters' records, in the order in which they came.
    pub fn offsets(&self) -> Vec<i64> {
        self.letters.lock().unwrap().iter().map(|l| l.origin.offset).collect()
    }

    /// Key and code of each letter.
    pub fn shown(&self) -> Vec<String> {
        self.letters.lock().unwrap().iter().map(|l| format!("{} {}", l.key, l.why.code)).collect()
    }

    /// The ledger's sequence at each time that letters came.
    pub fn ledgers(&self) -> Vec<Option<u64>> {
        self.ledgers.lock().unwrap().clone()
    }

    /// Refuses letters from now on, or no more.
    pub fn closes(&self, closed: bool) {
        self.out_of_order.store(closed, Ordering::Relaxed);
    }
}

impl DeadLetters for Office {
    fn place(&self, origin: Origin) -> Place {
        Place { topic: format!("stream{}", origin.stream), partition: 0, offset: origin.offset }
    }

    fn keep<'a>(&'a self, letters: &'a [Letter]) -> Keeping<'a> {
        Box::pin(async move {
            if self.out_of_order.load(Ordering::Relaxed) {
                return Err(Error::new(Kind::KafkaUnreachable, "the office is closed"));
            }
            let world = self.world.lock().unwrap().clone().unwrap();
            let sequence = world.ledger_sequence().await;
            self.ledgers.lock().unwrap().push(sequence);
            let mut all = self.letters.lock().unwrap();
            let from = i64::try_from(all.len()).unwrap();
            all.extend_from_slice(letters);
            Ok(from)
        })
    }
}

/// The world's tables have dead letters, and names of three letters at most.
pub async fn narrow(world: &mut World) {
    world.create_database().await;
    world.settings.schema = cdc_mysql_sink::SchemaMode::None;
    world.settings.dead_letters = vec![Pattern::parse(&format!("{}.*", world.database)).unwrap()];
    world.sql("CREATE TABLE DB.people (id INT PRIMARY KEY, name VARCHAR(3) UNIQUE, v INT)").await;
}

/// A sink that sends its dead letters there.
pub async fn open(world: &World, office: &Arc<Office>) -> Sink {
    let mut sink = world.open().await;
    sink.send_dead_letters_to(office.clone());
    sink
}

/// The change, as the record at this offset.
pub fn at(offset: i64, change: Change<OwnedRow>) -> Change<OwnedRow> {
    Change { origin: Origin { stream: 7, offset }, ..change }
}

/// Rows of the table, each as text.
pub async fn people(world: &World) -> Vec<String> {
    world.texts("SELECT CONCAT_WS(' ', id, name, v) FROM DB.people ORDER BY id").await
}

/// The keys in quarantine at the destination, with their letters and the offsets of the first and last.
pub async fn quarantine(world: &World) -> Vec<String> {
    let sql = format!(
        "SELECT CONCAT_WS(' ', source_table, key_text, letters, first_offset, last_offset) \
         FROM `{}`.ledger_quarantine ORDER BY source_table, key_text",
        world.settings.ledger_database
    );
    world.texts(&sql).await
}
