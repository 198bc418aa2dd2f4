//! Compressed transactions. All their events stand at one place.

use cdc_sdk::Result;

use super::refusal::contradiction;
use super::{Assembler, State};
use crate::binlog::frame::Home;

impl Assembler {
    /// A compressed transaction. Its events come next, from BEGIN to XID, and stand where this one does. Should they not come, the next
    /// transaction's start is a contradiction.
    pub(super) fn payload(&mut self, pos: u64) -> Result<()> {
        self.payload_at = pos;
        self.in_payload = true;
        match self.state {
            State::Announced(_) | State::Skipping { .. } => Ok(()),
            State::Between | State::Inside(_) | State::Holding(_) => {
                Err(contradiction("a compressed transaction inside another"))
            }
        }
    }

    /// A compressed transaction ends with its last event, and with no other: before that its checksum has
    /// not been compared.
    pub(super) fn goes_on(&self, home: Home) -> Result<()> {
        match (home, &self.state) {
            (Home::Payload { last: false }, State::Between) => {
                Err(contradiction("a compressed transaction has events behind its end"))
            }
            _ => Ok(()),
        }
    }
}
