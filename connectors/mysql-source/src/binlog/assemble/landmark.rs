//! Whether the log that is read on is the log that was read.
//!
//! Numbers of transactions, names of files and offsets are used again: after `RESET BINARY LOGS AND GTIDS`, on a
//! server that was restored with its old uuid, or that lost the end of its log in a crash. By them alone another log
//! would be taken for the one that was delivered, and what it has under old numbers be left out in silence. So a
//! position has a [`Landmark`]:
//!
//! - *With GTIDs* it is the last transaction delivered, with its time of commit in µs, which every server that has the
//!   transaction tells alike. The server is asked for that one once more, so it begins no later than there. That is
//!   also what makes it pass transactions without a GTID (`gtid_mode` was away from ON), which no set of GTIDs has:
//!   the server refuses to send them, where it would begin behind them otherwise.
//! - *Without GTIDs*, and before the first transaction, it is the position's file, with the second in which the server
//!   began it. A server never goes on in a file after a restart, so what is in it up to an offset stays.

use cdc_sdk::position::Landmark;
use cdc_sdk::{Error, Gtid, Kind, Result};

use super::refusal::corrupt;
use super::{Assembler, State};
use crate::binlog::event::rotate::Rotate;
use crate::binlog::frame::Frame;
use crate::binlog::place::{FILE_START, LogPlace};

impl Assembler {
    /// A transaction is announced that was delivered.
    pub(super) fn recognise(&self, gtid: &Gtid, committed_us: Option<i64>) -> Result<()> {
        let Some(Landmark::Transaction { gtid: ours, committed_us: then }) = &self.position.landmark else {
            return Ok(());
        };
        match committed_us {
            Some(now) if ours == gtid && *then > 0 && now > 0 && now != *then => Err(another_log(format!(
                "{gtid} was committed at {now} µs since 1970 here, and at {then} where it was delivered from"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// A transaction is delivered: it is known again from now on. `None`: other servers tell another time of it.
    pub(super) fn remember(&mut self, transaction: Option<(Gtid, i64)>) {
        if let (Some(_), Some((gtid, committed_us))) = (&self.position.gtids, transaction) {
            self.position.landmark = Some(Landmark::Transaction { gtid, committed_us });
        }
    }

    /// A member of the server's group came or went.
    pub(super) fn view_changes(&mut self) {
        if let State::Inside(transaction) = &mut self.state {
            transaction.each_its_own = true;
        }
    }

    pub(super) fn rotate(&mut self, frame: &Frame) -> Result<()> {
        let rotate = Rotate::read(frame.body()).map_err(corrupt)?;
        if **self.place.file() != *rotate.file {
            self.passed_to = 0;
            self.described = false;
        }
        self.place.rotate(&rotate.file, rotate.offset);
        // An announcement is in no file. By GTID it may name an older one; else it names the one that comes next,
        // which is all that tells of it where the server was stopped in between.
        let follows = frame.header.log_pos != 0 || self.position.gtids.is_none();
        if follows && self.is_through() && *self.position.file != *rotate.file {
            self.position.file = rotate.file;
            self.position.pos = rotate.offset;
            self.position.landmark.take_if(|of| matches!(of, Landmark::File { .. }));
        }
        self.idle();
        Ok(())
    }

    /// A file's format description, with the second in which the server began the file.
    pub(super) fn file_begins(&mut self, begun_s: u32) -> Result<()> {
        self.described = true;
        let here = *self.position.file == **self.place.file();
        let by_gtid = self.position.gtids.is_some();
        match &self.position.landmark {
            Some(Landmark::Transaction { .. }) => return Ok(()),
            Some(Landmark::File { begun_s: ours }) if here && *ours != begun_s => {
                return Err(another_log(format!(
                    "{} was begun at {begun_s} s since 1970, and the one of that name which was read at {ours}",
                    self.position.file
                )));
            }
            Some(Landmark::File { .. }) | None => {}
        }
        if self.is_through() && (here || by_gtid) {
            if !here {
                self.position.file = self.place.file().to_string();
                self.position.pos = FILE_START;
            }
            self.position.landmark = Some(Landmark::File { begun_s });
        }
        Ok(())
    }

    /// Whether all that stands before here is delivered, and nothing prepared that would have to be read again.
    fn is_through(&self) -> bool {
        matches!(self.state, State::Between) && (self.position.gtids.is_none() || self.undecided.is_empty())
    }

    /// After the last event taken.
    pub fn place(&self) -> &LogPlace {
        &self.place
    }

    /// Whether the server has begun to send, and what it was asked to send again has come, if it was.
    pub fn is_met(&self) -> bool {
        let is_transaction = matches!(self.position.landmark, Some(Landmark::Transaction { .. }));
        self.described && (!is_transaction || !matches!(self.state, State::Between))
    }

    /// Whether a transaction has come that was not delivered.
    pub fn has_news(&self) -> bool {
        !matches!(self.state, State::Between | State::Skipping { .. })
    }
}

fn another_log(detail: String) -> Error {
    Error::new(Kind::Diverged, "the server's log is not the one that the source has read, though its names and numbers are the same")
        .detail(detail)
        .hint("its log was reset (RESET BINARY LOGS AND GTIDS), it was restored from a backup, or it lost the end of its log in a crash (sync_binlog = 1 prevents that): start anew under another name, with a new snapshot")
}
