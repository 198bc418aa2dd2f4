//! How far the stream has come in the server's log, with 64-bit offsets.
//!
//! Event headers carry the low 32 bits of the offset after the event. A file may
//! be longer (one transaction is never split over files), so the offset is kept by
//! adding the events' sizes; the header's bits confirm the sum, or, where the
//! server left out transactions that were asked to be left out, extend it to the
//! next offset that has those low bits. A gap of 4 GiB and more would be taken for
//! a shorter one: the offset is then behind the truth until the file ends, which
//! makes who waits for a place wait longer and never too short.

use std::sync::Arc;

use super::frame::Header;

/// Where a file's first event is.
pub(crate) const FILE_START: u64 = 4;

/// A file and an offset in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogPlace {
    file: Arc<str>,
    end: u64,
}

impl LogPlace {
    /// A place in a file.
    pub fn new(file: &str, end: u64) -> Self {
        Self { file: Arc::from(file), end }
    }

    /// The file.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The offset after the last event.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The stream goes on in this file at this offset.
    pub fn rotate(&mut self, file: &str, offset: u64) {
        if *self.file != *file {
            self.file = Arc::from(file);
            self.end = offset;
        }
        self.end = self.end.max(offset);
    }

    /// Moves over an event and returns the offset where it starts. Events that are
    /// in no file move nothing.
    pub fn pass(&mut self, header: &Header) -> u64 {
        if header.log_pos == 0 {
            return self.end;
        }
        let size = u64::from(header.size);
        self.end = extend(self.end.saturating_add(size), header.log_pos);
        self.end.saturating_sub(size)
    }

    /// A heartbeat says that the server has nothing before this offset left to
    /// send. It takes no room itself.
    pub fn heartbeat(&mut self, log_pos: u32) {
        let ahead = log_pos.wrapping_sub(low(self.end));
        if log_pos != 0 && ahead < 1 << 31 {
            self.end = extend(self.end, log_pos);
        }
    }
}

fn low(offset: u64) -> u32 {
    let [a, b, c, d, ..] = offset.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The first offset at or after `from` whose low 32 bits are these.
fn extend(from: u64, log_pos: u32) -> u64 {
    from.saturating_add(u64::from(log_pos.wrapping_sub(low(from))))
}

#[cfg(test)]
mod tests;
