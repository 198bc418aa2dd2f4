//! Errors: what went wrong, where, and what to do.
//!
//! Each [`Kind`] has a code that users can look up (`cdc explain E014`) and a
//! [`Fate`]: what the pipeline does with it. Both are matched without a `_` arm,
//! so that a new kind does not compile until it has them.

use std::fmt;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a pipeline does with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Try again from the last committed state, a bounded number of times.
    Retry,
    /// The one event is at fault: to the dead letters where the user chose that, else stop.
    Quarantine,
    /// Stop: a person must act.
    Halt,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $fate:ident;)+) => {
        /// What kind of error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// Every kind, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code that users see.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What the pipeline does with it.
            pub const fn fate(self) -> Fate {
                match self { $(Self::$name => Fate::$fate,)+ }
            }

            /// What it means and what to do, for `cdc explain`.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc, "\n"),+),)+ }
            }
        }
    };
}

kinds! {
    /// The command line was wrong. `cdc --help` shows what there is, with examples.
    Usage = "E001", Halt;
    /// The settings are wrong. All that is wrong is listed at once, with line and nearest name.
    Settings = "E002", Halt;
    /// The servers are not fit for the pipeline. Run the statements shown, then `cdc check`.
    Unfit = "E003", Halt;
    /// A position, offset or GTID set could not be read. Positions are never guessed at.
    BadPosition = "E004", Halt;

    /// A MySQL server could not be reached, or the connection to it broke. It is tried again.
    MysqlUnreachable = "E010", Retry;
    /// A MySQL server refused the account, or the account lacks a privilege.
    MysqlDenied = "E012", Halt;
    /// A statement that should always work was refused by the server.
    MysqlRefused = "E013", Halt;
    /// The binlog at the source's position is no longer on the server, or holds transactions without
    /// a GTID there, which cannot be read by GTID. Take a new snapshot; keep binlogs longer
    /// (`binlog_expire_logs_seconds`), and `gtid_mode` at ON.
    Purged = "E014", Halt;
    /// The position names transactions that this server never had, or has with other contents: it is
    /// another server, one that lost transactions in a failover or a crash, or one whose log was
    /// reset. Nothing is read, since what was delivered is not there.
    Diverged = "E015", Halt;
    /// Without GTIDs a position belongs to one server, and this is another one.
    OtherServer = "E016", Halt;
    /// A MySQL server has no room left on a disk. It is tried again: make room there.
    DiskFull = "E017", Retry;

    /// A binlog event's checksum is wrong, or its bytes contradict themselves.
    BinlogCorrupt = "E020", Halt;
    /// The binlog holds something that this version does not read.
    BinlogUnsupported = "E021", Halt;
    /// A row and its table's metadata do not fit each other.
    RowMismatch = "E022", Halt;
    /// A column's type or character set is not supported yet.
    TypeUnsupported = "E023", Halt;
    /// A statement changed rows without row events, and the settings say to stop.
    UnsafeDdl = "E024", Halt;
    /// After a restart inside a transaction, the rows skipped are not those delivered before.
    ResumeMismatch = "E025", Halt;
    /// The snapshot of a table could not be taken.
    Snapshot = "E026", Halt;
    /// `message.key.columns` chooses a key for a table's records that cannot be: a column that the table does not have; or
    /// columns of which a row has several values in turn while rows share them, so that nothing would tell the order of
    /// its changes. Choose columns that hold a whole key of the table, or are a part of its primary key. Also: a key that a
    /// topic's compaction, or a sink's settings, cannot go with.
    RecordKey = "E027", Halt;

    /// Kafka could not be reached or did not answer in time. It is tried again.
    KafkaUnreachable = "E030", Retry;
    /// Kafka refused a request for good: an authorisation, a limit or a setting.
    KafkaRefused = "E031", Halt;
    /// Another instance of the same name, or another source of the same topic prefix, has taken over; this one stands by.
    Fenced = "E032", Retry;
    /// A topic is not as it was pinned: it has gone, or its partition count has changed.
    TopicChanged = "E033", Halt;
    /// There are data topics without cuts, or a ledger without them: the cuts topic was lost. Or the source's state lacks
    /// what the cuts know of.
    CutsMissing = "E034", Halt;
    /// Records that a cut names are not in the topic any more, or not in their order.
    EventsMissing = "E035", Halt;
    /// A stored record (cut, state, ledger, header) has a version that this program does not know.
    UnknownVersion = "E036", Halt;

    /// The schema registry could not be reached. It is tried again.
    RegistryUnreachable = "E040", Retry;
    /// The schema registry refused a request: the account, the address, or a schema that it does not take.
    SchemaRefused = "E041", Halt;
    /// A value could not be written as its schema says.
    Encode = "E042", Halt;
    /// A message could not be read with its schema.
    Decode = "E043", Quarantine;
    /// A table's new schema is one that its subject's compatibility rule in the registry forbids beside the old
    /// one. Relax the rule for this subject; or let such tables go on in a new topic (`source.toml`: `[topics]
    /// on_incompatible = "new_topic"`), beside which the old one gets copies while the rows fit it.
    SchemaIncompatible = "E044", Halt;

    /// The destination refused a row.
    RowRefused = "E050", Quarantine;
    /// The destination rolled the transaction back (deadlock, lock wait). It is tried again.
    Conflict = "E051", Retry;
    /// The destination holds rows that contradict the source: another writer, or a unique key that differs.
    Divergence = "E052", Quarantine;
    /// The destination's table does not fit the source's, and the settings forbid changing it.
    TableMismatch = "E053", Halt;
    /// The ledger has moved under this sink: another instance has taken over.
    LedgerMoved = "E054", Retry;
    /// The ledger belongs to another topic prefix or the other consistency, or contradicts the cuts.
    LedgerMismatch = "E055", Halt;
    /// More keys are in quarantine than the settings allow (`[dead_letter] keys_max`), or what is in the
    /// way of one cannot be told apart from the rest. See `cdc dead-letter list`; mend the cause, then retry.
    DeadLettersFull = "E056", Halt;
    /// Records of the dead-letter topic that the ledger counts on are not there. Discard the keys
    /// (`cdc dead-letter discard`) and take a new snapshot of their tables.
    DeadLettersMissing = "E057", Halt;

    /// A table cannot be kept with `consistency = "key"`: the destination has, or would get, a unique key beside the one
    /// that identifies its rows. A value of such a key passes from one row to another in their order, and rows of
    /// different partitions have none there. Use `consistency = "transaction"`, exclude the table at the source, or
    /// make it at the destination with a plain index instead and set `schema = "none"`.
    NotByKey = "E058", Halt;

    /// There is nothing to follow yet: the source has not written its first cut.
    NothingYet = "E060", Retry;
    /// A pipeline did not answer: at the address of `[http] listen`, or on the control topic in time. It
    /// does not run, or elsewhere, or is busy.
    NoAnswer = "E061", Retry;
    /// A running source refused a command. Nothing has changed; the text says why.
    Refused = "E062", Halt;

    /// The program contradicts itself: a defect. Please report it with the text shown.
    Bug = "E099", Halt;
}

/// An error with what the user needs: what, where, what to do.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    what: String,
    detail: Option<String>,
    hint: Option<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind; `what` names the table, key or position.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, what: what.into(), detail: None, hint: None, cause: None }))
    }

    /// Adds the facts behind it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the error that it comes from.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Puts where it happened before what happened.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.what = format!("{place}: {}", self.0.what);
        self
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What the pipeline does with it.
    pub fn fate(&self) -> Fate {
        self.0.kind.fate()
    }

    /// What went wrong, in a line.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The facts behind it.
    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// What to do.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.0.kind.code(), self.0.what)?;
        if let Some(detail) = &self.0.detail {
            write!(f, "\n  detail: {detail}")?;
        }
        if let Some(cause) = &self.0.cause {
            write!(f, "\n  cause:  {cause}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\n  hint:   {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|c| c.as_ref() as &(dyn std::error::Error + 'static))
    }
}
