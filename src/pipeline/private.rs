//! The topic of one sink: `prefix.snapshot-for-SINK`, with the rows that were read for it alone.
//!
//! Rows that one sink asks for go past the others: they lie on a topic of their own, in cuts of
//! their own. All sinks read those cuts, so that order and progress are the same for all, but only the addressee
//! fetches what they name. To the others, and to whoever reads the tables' topics in Debezium's format,
//! nothing has happened. A cut of its own for each chunk, since within a cut only the order within a
//! partition is known, and a row of a chunk may follow a change of the same key.
//!
//! Beside rows and truncations (as on the tables' topics) the topic has *marks*: records without a
//! value, which a reader that knows nothing of them passes.

use cdc_sdk::{Error, Kind, Result};

use crate::avro::records;

/// What the topic's name has between prefix and sink. There is no dot behind it, as there is
/// in every table's topic.
const NAMED: &str = "snapshot-for-";

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// All tables are there: from this cut on the sink holds a source state.
    Through,
    /// It will not come to its end.
    Stopped,
}

const THROUGH: &str = "through";
const STOPPED: &str = "stopped";

impl Mark {
    /// The key of its record, framed with the id of the internal keys' schema.
    pub fn key(self, id: u32) -> Vec<u8> {
        let word = match self {
            Self::Through => THROUGH,
            Self::Stopped => STOPPED,
        };
        records::encode_key(word, id)
    }

    /// The reverse of [`Mark::key`].
    ///
    /// # Errors
    /// [`Kind::UnknownVersion`] for a mark that this program does not know.
    pub fn of(key: Option<&[u8]>) -> Result<Self> {
        let word = key.map(records::decode_key).transpose()?.unwrap_or_default();
        match word.as_str() {
            THROUGH => Ok(Self::Through),
            STOPPED => Ok(Self::Stopped),
            _ => Err(Error::new(Kind::UnknownVersion, format!("a mark '{word}' on a topic of one sink"))
                .hint("run the version of cdc that the source runs, or a newer one")),
        }
    }
}

/// The topic of a sink.
pub fn topic(prefix: &str, sink: &str) -> String {
    format!("{prefix}.{NAMED}{sink}")
}

/// The sink whose topic this is; `None` for the topic of a table.
pub fn addressee<'t>(prefix: &str, topic: &'t str) -> Option<&'t str> {
    let sink = topic.strip_prefix(prefix)?.strip_prefix('.')?.strip_prefix(NAMED)?;
    (!sink.contains('.')).then_some(sink)
}

/// Refuses a sink's name that no settings file could have.
///
/// # Errors
/// [`Kind::Refused`].
pub fn check_sink(sink: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if !sink.is_empty() && sink.len() <= 128 && sink.bytes().all(legal) {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, format!("{sink:?} is not the name of a sink")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_tells_whose_it_is() {
        assert_eq!(addressee("shop", &topic("shop", "crm")), Some("crm"));
        assert_eq!(addressee("a.b", &topic("a.b", "crm-2")), Some("crm-2"));
        // A database of that name has a dot before its table.
        assert_eq!(addressee("shop", "shop.snapshot-for-crm.orders"), None);
        assert_eq!(addressee("shop", "shop.shop.orders"), None);
        assert_eq!(addressee("shop", "shop2.snapshot-for-crm"), None);
    }

    #[test]
    fn marks_come_back_and_others_are_told() {
        for mark in [Mark::Through, Mark::Stopped] {
            assert_eq!(Mark::of(Some(&mark.key(7))).unwrap(), mark);
        }
        assert_eq!(Mark::of(None).unwrap_err().kind(), Kind::UnknownVersion);
        assert_eq!(
            Mark::of(Some(&records::encode_key("later", 7))).unwrap_err().kind(),
            Kind::UnknownVersion
        );
    }

    #[test]
    fn a_name_that_no_topic_can_have_is_refused() {
        assert!(check_sink("crm_2-b").is_ok());
        for name in ["", "a.b", "a b", &"x".repeat(129)] {
            assert_eq!(check_sink(name).unwrap_err().kind(), Kind::Refused);
        }
    }
}
