//! Random transactions: transfers between tables, unique values that change hands
//! inside a transaction and across several, keys that move, parents and children, a
//! table without a key, now and then some thousand rows at once, columns that come and go, or an XA
//! transaction in two phases. Each
//! first writes its number into `seq`, so that every state tells after which
//! transaction it stood.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::draft::{Draft, values};
use super::grown;
use super::looks::Looks;
use super::model::{Change, EMPTIED, History, Row, SHAPES, State};
use crate::kit::{Dice, LIMIT, World};

/// Longest time that an XA transaction stays prepared.
const PREPARED_MS_MAX: u64 = 20;

/// With so many transactions on their way the writer slows down: enough for several batches of
/// the sink, and soon over when the fault is.
pub const AHEAD_MAX: u64 = 250;
const WAIT_AHEAD: Duration = Duration::from_millis(60);

/// How much of what.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Of a hundred transactions, how many are large.
    pub large_percent: u64,
    /// Most wait between two transactions.
    pub wait_ms: u64,
    /// Whether there are changes that the sink applies alone: of rows without a key, truncations.
    pub alone: bool,
    /// Whether tables have unique keys beside their primary ones.
    pub unique: bool,
    /// Whether such a key's values change hands inside a transaction.
    pub swaps: bool,
    /// Of a hundred transactions, how many are prepared first, as XA transactions.
    pub xa_percent: u64,
    /// One in so many transactions is followed by a statement that changes columns.
    pub column_every: u64,
    /// One in so many by a TRUNCATE, where there may be any.
    pub truncate_every: u64,
    /// Rows of `bulk`, of which large transactions write some hundred.
    pub bulk_rows: i64,
}

impl Profile {
    /// Many transactions of every kind.
    pub const MIXED: Self = Self {
        large_percent: 1,
        wait_ms: 12,
        alone: true,
        unique: true,
        swaps: true,
        xa_percent: 8,
        column_every: 50,
        truncate_every: 100,
        bulk_rows: 1500,
    };
    /// Mostly large transactions, of rows that keep out of each other's way.
    pub const LARGE: Self =
        Self { large_percent: 30, wait_ms: 150, alone: false, bulk_rows: 5000, ..Self::MIXED };
    /// What sinks take that share the topics.
    pub const BY_KEY: Self = Self { alone: false, unique: false, ..Self::MIXED };
}

/// Makes the tables with these rows.
pub async fn create(world: &World, state: &State, profile: Profile) {
    for (shape, rows) in SHAPES.iter().zip(&state.tables) {
        let create =
            if profile.unique { shape.create.to_owned() } else { shape.create.replace("UNIQUE KEY", "KEY") };
        world.source_sql(&format!("CREATE TABLE {} ({create})", shape.name)).await;
        let rows = rows.iter().flat_map(|(row, count)| std::iter::repeat_n(row, *count as usize));
        let values: Vec<String> = rows.map(|row| values(shape, row)).collect();
        let checks = "SET SESSION foreign_key_checks=0";
        world.source_sql(&format!("{checks};\nINSERT INTO {} VALUES {}", shape.name, values.join(","))).await;
    }
}

/// Who writes, and what it keeps of what it wrote.
pub struct Writer {
    pub world: Arc<World>,
    pub state: State,
    pub history: Arc<History>,
    pub stop: Arc<AtomicBool>,
    /// How far the destination is. While the first snapshot is not through, there is no place
    /// for a truncation in the model.
    pub looks: Arc<Looks>,
}

impl Writer {
    /// Commits transaction after transaction until told to stop; survives a server
    /// that goes away, since what it holds tells whether the statement under way came through.
    pub async fn run(mut self, mut dice: Dice, profile: Profile) {
        let mut conn = reconnect(&self.world).await;
        let mut number = 0;
        let mut truncated = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            number += 1;
            let mut draft = Draft::begin(&mut self.state, number);
            draft.truncated(std::mem::take(&mut truncated));
            draft.fill_up(&mut dice, profile);
            let prepared = (dice.below(100) < profile.xa_percent).then(|| dice.below(PREPARED_MS_MAX));
            commit(&self.world, &self.history, &mut conn, draft, (number, prepared)).await;
            if dice.below(profile.column_every) == 0
                && let Some(alter) = grown::alter(&self.state.grown, number, &mut dice)
            {
                grown::run_alter(&self.world, &mut conn, &mut self.state, &alter).await;
                self.history.altered(alter);
            }
            if profile.alone
                && dice.below(profile.truncate_every) == 0
                && self.looks.count.load(Ordering::Relaxed) > 0
            {
                truncated = self.truncate(&mut conn).await;
            }
            let ahead = number.saturating_sub(self.looks.last.load(Ordering::Relaxed));
            let wait = if ahead > AHEAD_MAX { WAIT_AHEAD } else { Duration::ZERO };
            tokio::time::sleep(wait + Duration::from_millis(dice.below(profile.wait_ms))).await;
        }
        // A column gets to the destination with the first row that has it.
        number += 1;
        let mut last = Draft::begin(&mut self.state, number);
        last.truncated(truncated);
        last.grow(&mut dice);
        commit(&self.world, &self.history, &mut conn, last, (number, None)).await;
    }
}

impl Writer {
    async fn truncate(&self, conn: &mut Conn) -> Vec<Change> {
        let rows = self.state.tables[EMPTIED].keys();
        let gone =
            |row: &Row| Change { table: EMPTIED, before: Some(row.clone()), after: None, silent: true };
        let rows: Vec<Change> = rows.map(gone).collect();
        if rows.is_empty() {
            return rows;
        }
        self.history.plan_truncation(&rows);
        run(&self.world, conn, "TRUNCATE TABLE emptied", "SELECT COUNT(*) FROM emptied", 0).await;
        rows
    }
}

/// Commits at once, or after so many milliseconds of being prepared.
async fn commit(
    world: &World,
    history: &History,
    conn: &mut Conn,
    draft: Draft<'_>,
    (number, prepared): (u64, Option<u64>),
) {
    history.plan(&draft.changes);
    let (question, sql) = ("SELECT MAX(n) FROM seq", draft.sql.join(";"));
    match prepared {
        None => run(world, conn, &format!("BEGIN;{sql};COMMIT"), question, number).await,
        Some(ms) => {
            let xid = format!("'{}-{number}'", world.name);
            let sql = format!(
                "XA START {xid};{sql};XA END {xid};XA PREPARE {xid};DO SLEEP({ms}/1000);XA COMMIT {xid}"
            );
            run_prepared(world, conn, (&sql, &xid), question, number).await;
        }
    }
    history.commit(number);
}

/// Runs it once, whatever becomes of the connection: the question tells whether it came through.
pub async fn run(world: &World, conn: &mut Conn, sql: &str, question: &str, then: u64) {
    let begun = Instant::now();
    while let Err(error) = conn.query_drop(sql).await {
        assert_lost(&error, sql, begun);
        if ask(world, conn, question).await == then {
            return;
        }
    }
}

/// The same with an XA transaction: one that is still prepared after all is committed.
async fn run_prepared(world: &World, conn: &mut Conn, (sql, xid): (&str, &str), question: &str, then: u64) {
    let begun = Instant::now();
    while let Err(error) = conn.query_drop(sql).await {
        assert_lost(&error, sql, begun);
        loop {
            if ask(world, conn, question).await == then {
                return;
            }
            match is_prepared(conn, xid).await {
                Ok(false) => break,
                Ok(true) => {
                    if let Err(error) = conn.query_drop(format!("XA COMMIT {xid}")).await {
                        assert_lost(&error, xid, begun);
                    }
                }
                Err(error) => assert_lost(&error, xid, begun),
            }
        }
    }
}

async fn is_prepared(conn: &mut Conn, xid: &str) -> mysql_async::Result<bool> {
    let all: Vec<(i32, u32, u32, String)> = conn.query("XA RECOVER").await?;
    Ok(all.iter().any(|(.., data)| *data == xid.trim_matches('\'')))
}

/// It is the connection that failed, not the statement, and not for good.
fn assert_lost(error: &Error, sql: &str, begun: Instant) {
    let lost = !matches!(error, Error::Server(e) if !is_passing(e.code));
    assert!(lost, "{error}: {}", &sql[..sql.len().min(2000)]);
    assert!(begun.elapsed() < 2 * LIMIT, "the source does not come back: {error}");
}

/// A number from the source, over a new connection.
async fn ask(world: &World, conn: &mut Conn, question: &str) -> u64 {
    loop {
        *conn = reconnect(world).await;
        if let Ok(Some(number)) = conn.query_first(question).await {
            return number;
        }
    }
}

/// ER_SERVER_SHUTDOWN, ER_QUERY_INTERRUPTED: it is ending; ER_OPTION_PREVENTS_STATEMENT: the replica takes over in a
/// moment.
fn is_passing(code: u16) -> bool {
    matches!(code, 1053 | 1317 | 1290)
}

/// A connection to the source, when it is there again.
pub async fn reconnect(world: &World) -> Conn {
    let begun = Instant::now();
    loop {
        match world.try_source_conn().await {
            Ok(conn) => return conn,
            Err(error) => assert!(begun.elapsed() < 2 * LIMIT, "the source does not come back: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
