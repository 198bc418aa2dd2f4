//! The rows that were there before, read without locks while streaming goes on.
//!
//! # The method
//!
//! A table with an identity (a primary key, or a unique key without NULLs) is read
//! in chunks, in the order of that key. For each chunk:
//!
//! 1. It is *registered* between two transactions of the stream. `S` are the
//!    transactions that the stream has delivered. From here on, the stream's rows of
//!    the table are watched.
//! 2. `WAIT_FOR_EXECUTED_GTID_SET(S)`.
//! 3. The low mark `L` is read: `@@gtid_executed`.
//! 4. `SELECT`: one statement, so one read view `V`.
//! 5. The high mark `H` is read: where the binlog ends.
//!
//! Rows whose key the stream touches, in a transaction that is not in `L`, from
//! the registration up to `H`, are dropped from the chunk. The rest is handed out
//! when the stream has passed `H`, between two transactions.
//!
//! # Why it is right
//!
//! Claim: after the chunk is handed out at `H`, the consumer's rows in the chunk's
//! range are those of the source after the last transaction before `H`.
//!
//! *Facts about the server.* (a) A transaction is written to the binlog before any
//! reader can see it. (b) A transaction in `@@gtid_executed` can be seen by every view
//! opened later. (c) The end of the binlog is taken under the lock under which
//! transactions are written, so it does not lie inside one.
//!
//! Take any row `r` of the range, by its key, and the transactions before `H` that
//! touched it.
//!
//! - *None of them is outside `L`.* All of them are in `L`, hence by (b) in `V`.
//!   Nothing else is in `V`: what `V` shows was by (a) before `H`. So the chunk holds
//!   `r` as it is at `H` (or does not hold it, and it does not exist at `H`). It is not
//!   dropped, or it was dropped without need, by a transaction of `L` met before `L` was
//!   known; then the stream has delivered that transaction, and the next case's argument holds.
//! - *One of them, `t`, is outside `L`.* By step 2 all of `S` is in `L`, so `t` is not
//!   in `S`: the stream delivers it after the registration and, as it is before `H`,
//!   before the chunk is handed out. `r` is dropped from the chunk, whatever `V` showed.
//!   The last of these transactions carried the whole row (`binlog_row_image=FULL`), or
//!   its deletion, so the consumer has `r` as it is at `H`.
//!
//! A key is compared by its exact bytes, though the server may hold 'a' and 'A' for
//! one key: a change from one to the other carries both images, and both are touched.
//!
//! Step 2 is needed since the server sends a transaction to its replicas before the
//! engine shows it (seen for as long as semi-synchronous replication stalls a commit):
//! without it, `t` in `S` may be missing from `V` and is not delivered again.
//! The marks cannot be swapped: the binlog's end as low mark names transactions that
//! `V` may not show; `@@gtid_executed` as high mark may lack one that it shows, and the
//! stream would then take the row back to an older state.
//!
//! Where the next chunk begins is a place in the key's order, and is stored with that order in words: a table whose key is
//! turned round, or gets another collation or character set, is read from its beginning, since behind the same key there
//! are other rows then.
//!
//! Statements that change the table's shape discard its open chunks: each is in the
//! binlog before a view can show its effect, so the stream meets it before `H`. The
//! shape itself is read from the catalogue after a wait as in step 2, and forgotten when
//! the stream meets such a statement; so it is never older than the chunk's registration.
//!
//! All of this must happen on the server that streams: every reader compares
//! `@@server_uuid`.
//!
//! # Read once more
//!
//! A table that the consumer has can be read again at any time, by the same method: the
//! claim holds for each chunk by itself, so its rows are what the consumer has already, or
//! mend it. Under a condition the chunk is the rows of its range for which that held in `V`; the claim
//! holds for each of them, and says nothing of the others. Rows that the source does not have are
//! taken away only by emptying the table first, which is asked for. `plan/again.rs` has the rest.
//!
//! # Bounds
//!
//! A chunk ends at N rows or M bytes and is read into memory without waiting for
//! anyone, so that an `ALTER` behind the `SELECT` waits for milliseconds. At most two
//! chunks per reader are in memory. Touched keys are remembered up to a limit; beyond it
//! the chunk is read again while the stream is held, and then what the stream touches is
//! dropped from the chunk directly, which needs no memory.

mod key;
mod progress;

pub(crate) mod query;

mod json_kinds;
mod cell;
mod packed;

mod block;

pub(crate) mod reader;
pub(crate) mod view;

mod chunk;
mod entry;
pub(crate) mod plan;
mod watch;

#[cfg(test)]
mod bench;

pub use chunk::Chunk;
pub use key::KeyBound;
pub use packed::ChunkRow;
pub use plan::Reading;
pub use progress::{Again, SnapshotProgress, TableProgress, TableState};
