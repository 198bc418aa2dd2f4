//! Dead letters: an event that cannot be applied leaves the road, and the rest goes on.
//!
//! Only for tables that the user chose; for all others such an event stops the sink.
//!
//! **The key goes into quarantine, not the event.** Later changes of the same key would be
//! applied to a row that is not what they expect, so they follow into the dead letters until
//! somebody releases the key. A batch is folded, so the unit is a key's net change in a batch:
//! all its changes of that batch go, and the row stays as it was before the batch. Where a
//! row has no key, or an event's key cannot be told, the whole table is one key. So it is from
//! the moment on when the table gets another primary key while rows of it wait: a row that
//! waits is known by its old key, and its later changes would pass it by under the new one.
//!
//! **Which keys are in quarantine** stands in the ledger (`ledger_quarantine`), written in the
//! transaction that leaves their changes out. So data, progress and quarantine never
//! disagree, and the ledger alone says whose letters count: a letter is stored for good
//! *before* that transaction commits, and where the commit then fails, it is in the topic
//! without meaning anything, or twice. A letter's id is where its event stands (topic,
//! partition, offset), by which readers know it again.
//!
//! **Who is at fault** is searched for (`search`) in a transaction that is rolled back, once an
//! attempt has failed; what is found is left out of the next attempt. So nothing is paid for
//! while nothing fails, and the batch is still one transaction.

mod aside;
mod quarantine;
mod search;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::cut::Place;
use cdc_sdk::name::quoted;
use cdc_sdk::value::Row;
use cdc_sdk::{Result, Table, TableName};

pub(crate) use aside::{Aside, schemas};
pub use quarantine::{Held, Quarantine};
pub(crate) use search::{Guilty, Search, search};

use crate::apply::shown_value;
use crate::hash::fnv1a;

/// Which record an event was: which of the partitions that the caller has numbered, and the offset in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's number of the partition.
    pub stream: u32,
    /// The record's offset.
    pub offset: i64,
}

/// An event that goes to the dead letters.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Which record.
    pub origin: Origin,
    /// The source's table.
    pub table: TableName,
    /// The key in quarantine, as people read it.
    pub key: Arc<str>,
    /// Why.
    pub why: Arc<Why>,
}

/// Why a key is in quarantine: the first error met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// Its code, for `cdc explain`.
    pub code: String,
    /// Its text.
    pub text: String,
}

/// What [`DeadLetters::keep`] comes to.
pub type Keeping<'a> = Pin<Box<dyn Future<Output = Result<i64>> + Send + 'a>>;

/// Where letters go.
pub trait DeadLetters: Send + Sync {
    /// The place of an event's own record.
    fn place(&self, origin: Origin) -> Place;

    /// Stores letters: once this is `Ok`, no crash loses them. Returns an offset of the dead letters'
    /// topic that none of them stands before.
    fn keep<'a>(&'a self, letters: &'a [Letter]) -> Keeping<'a>;
}

/// Longest text of an error that is kept, in characters.
const TEXT_CHARS_MAX: usize = 2000;
/// Longest key that is shown, in characters.
const KEY_CHARS_MAX: usize = 200;

impl Why {
    /// Of an error.
    pub(crate) fn of(error: &cdc_sdk::Error) -> Self {
        let text = error.to_string().chars().take(TEXT_CHARS_MAX).collect();
        Self { code: error.kind().code().to_owned(), text }
    }
}

/// What the data of a table's keys are made of: columns and types, in their order. `None`: rows have no key.
pub(crate) fn made_of(table: &Table) -> Option<Arc<str>> {
    let columns = table.event_key()?.into_iter().filter_map(|index| table.columns.get(index));
    let parts: Vec<_> = columns.map(|c| format!("{} {}", quoted(&c.name), c.ty.sql())).collect();
    Some(parts.join(", ").into())
}

/// A key as people read and type it: `id=5, region='eu'`; `*` for a whole table; else its bytes.
fn shown_key<R: Row>(table: &Table, key: Option<&Bytes>, image: Option<&R>) -> Arc<str> {
    let Some(key) = key else { return "*".into() };
    let by_value = image.zip(table.identity()).and_then(|(row, identity)| by_value(table, &identity, row));
    let shown = by_value.unwrap_or_else(|| {
        let digits: String = key.iter().map(|b| format!("{b:02x}")).collect();
        format!("0x{digits}")
    });
    key_text(&shown).into()
}

/// A key's text as it is stored and shown: of a long one the beginning, and a hash by which it is told from others that
/// begin so. Earlier versions stored the beginning alone, which may stand for several keys.
pub fn key_text(whole: &str) -> String {
    if whole.chars().count() <= KEY_CHARS_MAX {
        return whole.to_owned();
    }
    let hash = format!("…#{:016x}", fnv1a(whole.as_bytes()));
    let kept = whole.chars().take(KEY_CHARS_MAX - hash.chars().count());
    kept.chain(hash.chars()).collect()
}

/// A row as people read it: `id=5, name='x'`, cut where it is long.
pub fn image_text<R: Row>(table: &Table, row: &R) -> String {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let shown = by_value(table, &all, row).unwrap_or_else(|| "a row that cannot be read".to_owned());
    shown.chars().take(TEXT_CHARS_MAX).collect()
}

fn by_value<R: Row>(table: &Table, identity: &[usize], row: &R) -> Option<String> {
    let mut parts = Vec::with_capacity(identity.len());
    let visited = row.visit(|index, value| {
        if let (true, Some(column)) = (identity.contains(&index), table.columns.get(index)) {
            parts.push(format!("{}={}", column.name, shown_value(value)?));
        }
        Ok(())
    });
    (visited.is_ok() && parts.len() == identity.len()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests;
