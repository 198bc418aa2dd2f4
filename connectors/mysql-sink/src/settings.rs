//! What a sink must know before it can open its destination.

use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::pattern::{Pattern, Route};
use cdc_sdk::{Error, Kind, Result, Table, TableName, echo};

use crate::ledger::Ledger;

/// The resolved settings of one sink.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this sink is: the name of its ledger row and of its lock.
    pub name: String,
    /// The topics that it follows. A ledger remembers it and refuses another.
    pub topic_prefix: String,
    /// The destination.
    pub endpoint: Endpoint,
    /// Where tables go; the first that matches wins, else the name stays.
    pub routes: Vec<Route>,
    /// What the sink may do to the destination's tables.
    pub schema: SchemaMode,
    /// The database of the ledger's tables.
    pub ledger_database: String,
    /// How many bytes of SQL go to the server at once; a larger row goes alone.
    pub max_statement_bytes: usize,
    /// Tables of the source whose events become dead letters where they cannot be applied.
    pub dead_letters: Vec<Pattern>,
    /// Keys in quarantine at most; one more stops the sink.
    pub quarantined_keys_max: usize,
    /// The destination has writers of its own, whose changes go back to the source.
    pub two_way: Option<TwoWay>,
    /// They are for a [`crate::KeySink`].
    pub by_key: bool,
}

/// What becomes of a row that was changed on both sides, neither knowing of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TwoWay {
    /// The sink stops.
    Stop,
    /// The source's change is applied.
    SourceWins,
    /// The destination's row stays.
    DestinationWins,
    /// The row with the later time in this column stays; a deleted one loses against a changed one.
    LastWriter {
        /// The column's name, in every table.
        column: String,
    },
}

/// What the sink may do to the destination's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaMode {
    /// Create missing tables, add missing columns and keys, change types that have become too narrow.
    #[default]
    Evolve,
    /// Create missing tables, add missing columns; leave the types of columns that are there alone: for topics
    /// that do not tell the source's types exactly.
    Extend,
    /// Change nothing; refuse a table that cannot hold the source's rows.
    Check,
    /// Change nothing and let the user answer for what the tables look like.
    /// What makes rows impossible to write is still refused.
    None,
}

impl SchemaMode {
    /// Whether tables may be made and changed.
    pub(crate) fn changes(self) -> bool {
        match self {
            Self::Evolve | Self::Extend => true,
            Self::Check | Self::None => false,
        }
    }
}

impl Settings {
    /// The database of the ledger, unless the user names another.
    pub const LEDGER_DATABASE: &'static str = "cdc";
    /// 1 MiB: larger statements are not faster, and 4 MiB is the smallest
    /// `max_allowed_packet` that MySQL has had as a default since 5.6.
    pub const MAX_STATEMENT_BYTES: usize = 1 << 20;
    /// So many keys are an accident that a person should see, and take little memory.
    pub const QUARANTINED_KEYS_MAX: usize = 1000;

    /// Settings with all that has a default left at it.
    pub fn new(name: impl Into<String>, topic_prefix: impl Into<String>, endpoint: Endpoint) -> Self {
        Self {
            name: name.into(),
            topic_prefix: topic_prefix.into(),
            endpoint,
            routes: Vec::new(),
            schema: SchemaMode::default(),
            ledger_database: Self::LEDGER_DATABASE.to_owned(),
            max_statement_bytes: Self::MAX_STATEMENT_BYTES,
            dead_letters: Vec::new(),
            quarantined_keys_max: Self::QUARANTINED_KEYS_MAX,
            two_way: None,
            by_key: false,
        }
    }

    /// The tag of this sink's transactions, where a source must know them.
    pub(crate) fn tag(&self) -> Option<String> {
        self.two_way.as_ref().map(|_| echo::tag(&self.name))
    }

    /// Where the ledger is.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger { database: self.ledger_database.clone(), name: self.name.clone() }
    }

    /// Whether events of a source table become dead letters where they cannot be applied.
    pub fn has_dead_letters(&self, source: &TableName) -> bool {
        self.dead_letters.iter().any(|pattern| pattern.matches(source))
    }

    /// Refuses a table where the key of its records was chosen so that a row goes from one partition to another while its
    /// identity stays (`message.key.columns`), if these settings need the changes of a row in one order.
    ///
    /// # Errors
    /// [`Kind::NotByKey`], or [`Kind::RecordKey`].
    pub(crate) fn check_record_key(&self, table: &Table) -> Result<()> {
        if table.key_follows_identity() {
            return Ok(());
        }
        let (kind, setting, way) = match (self.by_key, &self.two_way) {
            (true, _) => (Kind::NotByKey, "consistency = \"key\"", "use consistency = \"transaction\""),
            (false, Some(_)) => (Kind::RecordKey, "[two_way]", "leave [two_way] out"),
            (false, None) if self.has_dead_letters(&table.name) => {
                (Kind::RecordKey, "[dead_letter]", "take the table out of [dead_letter] tables")
            }
            (false, None) => return Ok(()),
        };
        let what = format!("{}: the key of its records cannot go with {setting}", table.name);
        Err(Error::new(kind, what)
            .detail(
                "that key has more than what identifies a row (message.key.columns): when it changes, the row's events go \
                 on in another partition, as those of another row",
            )
            .hint(format!("{way}; or choose columns of the table's primary key only, at the source")))
    }

    /// Speaks of routes by which several tables of the source may get one name: that of a second one is refused, but only
    /// when its first event comes.
    pub(crate) fn warn_of_routes(&self) {
        for route in self.routes.iter().filter(|route| route.merges()) {
            tracing::warn!(
                from = %route.from,
                to = %route.to,
                "a route may lead several tables into one; the sink stops when a second one comes"
            );
        }
    }

    /// Where the rows of a source table go.
    ///
    /// # Errors
    /// [`Kind::Settings`] if a route leads into the ledger's own database.
    pub fn target(&self, source: &TableName) -> Result<TableName> {
        let routed = self.routes.iter().find_map(|route| route.apply(source));
        let target = routed.unwrap_or_else(|| source.clone());
        if target.database.eq_ignore_ascii_case(&self.ledger_database) {
            return Err(Error::new(
                Kind::Settings,
                format!("{source} would be written into the ledger's database `{}`", self.ledger_database),
            )
            .hint("add a [[route]] for it, or exclude it at the source"));
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests;
