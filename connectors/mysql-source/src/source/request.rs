//! Snapshots that somebody asks for while the stream goes on.
//!
//! A request is taken between two transactions: from then on its tables are in the plan
//! like those of the first snapshot, and what is to be stored of them is returned, to be
//! stored together with the fact that the request was taken.

use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Error, Kind, Result, TableName};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Source;
use super::open::needs_lock;
use crate::catalogue::{Listed, list};
use crate::ddl::refuse_condition;
use crate::session::{STATEMENT_TIMEOUT, Server, connect, server_error};
use crate::snapshot::query::{JsonKinds, Pages, Paging};
use crate::snapshot::{Again, Reading, TableProgress};

/// Tables that are refused are named up to this many.
const NAMED_MAX: usize = 5;

/// The longest condition, in bytes.
const CONDITION_BYTES_MAX: usize = 4096;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The captured tables that one of these matches.
    pub tables: Vec<Pattern>,
    /// Of one table, only the rows for which this SQL expression holds.
    pub condition: Option<String>,
    /// What the consumers have of the tables goes first.
    pub empty_first: bool,
    /// The one consumer that asks; for it tables are always emptied first. `None`: for all.
    pub addressee: Option<String>,
}

/// A request that was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The tables that are read once more, as is to be stored.
    pub progress: Vec<TableProgress>,
    /// Tables that are being read for the first time just now, which brings the same.
    pub in_first: Vec<TableName>,
}

/// Readings that were asked for and have been stopped, by whom they were for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stopped {
    /// The one consumer; `None`: all.
    pub addressee: Option<String>,
    /// What is to be stored of the tables.
    pub progress: Vec<TableProgress>,
}

impl Source {
    /// Takes a request. Only between two transactions.
    ///
    /// # Errors
    /// [`Kind::Refused`] where it cannot be done, with the reason; nothing has changed then.
    /// What a connection can run into.
    pub async fn request(&mut self, request: &Request) -> Result<Taken> {
        if self.plan.is_giving_up() {
            // Told of that behind this request, it would be taken for the request's own end.
            return Err(Error::new(Kind::Refused, "a snapshot that was asked for before is being given up")
                .hint("ask again in a moment; cdc snapshot show says why"));
        }
        let mut conn = connect(&self.settings.endpoint).await?;
        let listed = self.asked_for(&mut conn, &request.tables).await?;
        self.refuse_without_lock(&mut conn, request).await?;
        if let Some(condition) = &request.condition {
            self.refuse_condition(&mut conn, request, &listed, condition).await?;
        }
        let (mut taken, mut anew) = (Taken::default(), Vec::new());
        for table in listed {
            match (self.plan.reading(&table.name), &request.addressee, &request.condition) {
                (Reading::None, _, _) => anew.push(table),
                (Reading::First, None, _) => taken.in_first.push(table.name),
                (Reading::Again(again), addressee, None) if again.addressee == *addressee => anew.push(table),
                (reading, _, _) => return Err(busy(&table.name, &reading)),
            }
        }
        for table in anew {
            let again = Again {
                condition: request.condition.clone(),
                empty_first: request.empty_first || request.addressee.is_some(),
                addressee: request.addressee.clone(),
            };
            self.plan.read_again(&table.name, again, table.rows_estimated, table.row_bytes);
            taken.progress.extend(self.plan.progress_of(&table.name));
        }
        self.told_complete &= self.plan.is_complete();
        Ok(taken)
    }

    /// Begins no more reading until it is told to go on; the stream goes on.
    pub fn pause(&mut self, paused: bool) {
        self.plan.pause(paused);
    }

    /// Whether something is still to be read, and is held up by a pause.
    pub fn is_held_up(&self) -> bool {
        self.plan.is_held_up()
    }

    /// Ends the readings that were asked for. First readings go on: without them tables would lack rows.
    pub fn stop_requests(&mut self) -> Vec<Stopped> {
        let stopped = self.plan.stop_again().into_iter();
        stopped.map(|of| Stopped { addressee: of.addressee, progress: of.progress }).collect()
    }

    /// Ends the readings for a consumer whom they cannot reach.
    pub fn give_up_for(&mut self, addressee: &str, why: &Error) {
        self.plan.give_up_for(addressee, why);
    }

    /// Whether anything is still to be read for this consumer.
    pub fn reads_for(&self, addressee: &str) -> bool {
        self.plan.reads_for(addressee)
    }

    async fn asked_for(&self, conn: &mut Conn, patterns: &[Pattern]) -> Result<Vec<Listed>> {
        let mut listed = list(conn, &self.settings.selection).await?;
        let idle =
            |pattern: &&Pattern| !listed.iter().any(|l| self.plan.knows(&l.name) && pattern.matches(&l.name));
        let idle: Vec<String> = patterns.iter().filter(idle).map(ToString::to_string).collect();
        if patterns.is_empty() || !idle.is_empty() {
            return Err(Error::new(Kind::Refused, format!("no captured table matches {}", idle.join(", ")))
                .hint("name tables that [capture] includes; one that was added there is read by itself at the next start of the source"));
        }
        listed.retain(|l| self.plan.knows(&l.name) && patterns.iter().any(|p| p.matches(&l.name)));
        Ok(listed)
    }

    /// Without GTIDs all views are opened under a lock, which must be allowed.
    async fn refuse_without_lock(&self, conn: &mut Conn, request: &Request) -> Result<()> {
        if self.stream.position().gtids.is_some() {
            return Ok(());
        }
        if request.condition.is_some() {
            return Err(Error::new(
                Kind::Refused,
                "without GTIDs tables are read whole: no condition can be set",
            )
            .hint("leave --where out, or SET PERSIST gtid_mode = ON, step by step"));
        }
        if self.settings.allow_global_read_lock {
            return Ok(());
        }
        let why = needs_lock(&Server::ask(conn).await?);
        let refused = Error::new(Kind::Refused, why.what());
        Err(match why.hint_text() {
            Some(hint) => refused.hint(hint),
            None => refused,
        })
    }

    /// A condition must be one expression, on one table with a key, and the server must take it.
    async fn refuse_condition(
        &self,
        conn: &mut Conn,
        request: &Request,
        listed: &[Listed],
        condition: &str,
    ) -> Result<()> {
        let refused = |what: String| Error::new(Kind::Refused, what);
        let [one] = listed else {
            let named: Vec<String> = listed.iter().take(NAMED_MAX).map(|l| l.name.to_string()).collect();
            return Err(refused(format!("a condition goes with one table, and {} match", listed.len()))
                .detail(named.join(", ")));
        };
        if request.empty_first || request.addressee.is_some() {
            return Err(refused(
                "a condition cannot go with emptying: the other rows would be missing".into(),
            ));
        }
        if condition.len() > CONDITION_BYTES_MAX {
            return Err(refused(format!("the condition is longer than {CONDITION_BYTES_MAX} bytes")));
        }
        if let Err(why) = refuse_condition(condition) {
            return Err(refused(format!("the condition is refused, {why}: {condition}"))
                .hint("write what can stand behind WHERE, such as \"id > 1000 AND state = 'open'\""));
        }
        let table = self.catalogue.table(&one.name).await?;
        let table = table.ok_or_else(|| refused(format!("{} is not there any more", one.name)))?;
        let paging = Paging::of(&table).ok_or_else(|| {
            refused(format!("{} has no key: its rows are read all or none", one.name))
                .hint("leave --where out: the table is emptied, then read whole")
        })?;
        let pages = Pages { table: &table, paging: &paging, kinds: JsonKinds::Left };
        let statement = pages.part((None, None), condition)?;
        read_by_server(conn, &statement, condition).await
    }
}

fn busy(table: &TableName, reading: &Reading) -> Error {
    let what = match reading {
        Reading::None => format!("{table} is not being read"),
        Reading::First => format!("{table} is being read for the first time"),
        Reading::Again(Again { addressee: Some(sink), .. }) => {
            format!("{table} is being read for sink '{sink}'")
        }
        Reading::Again(Again { condition: Some(condition), .. }) => {
            format!("{table} is being read where {condition}")
        }
        Reading::Again(_) => format!("{table} is being read once more"),
    };
    Error::new(Kind::Refused, what)
        .hint("ask again when that is through (cdc snapshot show), or end it first: cdc snapshot stop")
}

/// Shows the statement to the server, which reads it and runs nothing.
async fn read_by_server(conn: &mut Conn, statement: &str, condition: &str) -> Result<()> {
    let refused = |what: &str| Error::new(Kind::Refused, format!("{what}: {condition}"));
    let prepared = tokio::time::timeout(STATEMENT_TIMEOUT, conn.prep(statement)).await;
    let prepared = prepared.map_err(|_| {
        Error::new(Kind::MysqlUnreachable, "checking a condition: the server does not answer")
    })?;
    match prepared {
        Ok(prepared) if prepared.num_params() == 0 => Ok(()),
        Ok(_) => Err(refused("the condition has a '?' that nobody fills in")),
        Err(mysql_async::Error::Server(why)) => {
            Err(refused("the server refuses the condition").detail(why.to_string()))
        }
        Err(broken) => Err(server_error(broken, "checking a condition")),
    }
}
