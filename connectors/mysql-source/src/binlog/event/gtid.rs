//! GTID, ANONYMOUS_GTID and GTID_TAGGED_LOG: which transaction comes next, and
//! when it was committed.

use cdc_sdk::Gtid;
use cdc_sdk::gtid::Origin;

use crate::binlog::reader::{Malformed, Reader};

/// The announcement of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Its identifier; `None` where it has none.
    pub gtid: Option<Gtid>,
    /// When the server that first ran it committed it, µs since 1970; `None`
    /// before MySQL 8.0.1.
    pub committed_us: Option<i64>,
}

/// Marks the logical timestamps in the body.
const LOGICAL_TIMESTAMPS: u8 = 2;
/// Bytes of a commit timestamp.
const TIMESTAMP_LEN: usize = 7;
/// In an immediate commit timestamp: the original one follows.
const ORIGINAL_FOLLOWS: u64 = 1 << 55;

impl Announced {
    /// Reads GTID and ANONYMOUS_GTID.
    pub fn read(body: &[u8], anonymous: bool) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        reader.u8()?;
        let uuid = reader.array::<16>()?;
        let number = reader.u64()?;
        let gtid = if anonymous { None } else { Some(identifier(uuid, String::new(), number)?) };
        let mut committed_us = None;
        if !reader.is_empty() && reader.u8()? == LOGICAL_TIMESTAMPS {
            reader.take(16)?;
            if !reader.is_empty() {
                committed_us = Some(original_commit(&mut reader)?);
            }
        }
        Ok(Self { gtid, committed_us })
    }

    /// Reads GTID_TAGGED_LOG, which is in the format of the server's library
    /// `mysql::serialization`, version 2: fields as pairs of number and value.
    pub fn read_tagged(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        if reader.u8()? != 2 {
            return Err(Malformed("its serialization version is unknown"));
        }
        let size = varlen(&mut reader)?;
        if usize::try_from(size).ok() != Some(body.len()) {
            return Err(Malformed("its message size is not its size"));
        }
        let last_needed = varlen(&mut reader)?;
        let mut tagged = Tagged::default();
        while !reader.is_empty() {
            let field = varlen(&mut reader)?;
            if !tagged.take(field, &mut reader)? {
                if field <= last_needed {
                    return Err(Malformed("it has a field that must be understood and is not known"));
                }
                break;
            }
        }
        tagged.finish()
    }
}

/// The fields of GTID_TAGGED_LOG that are used.
#[derive(Default)]
struct Tagged {
    uuid: Option<[u8; 16]>,
    number: u64,
    tag: String,
    immediate_us: u64,
    original_us: Option<u64>,
}

impl Tagged {
    /// Reads one field; false if it is not known (`control_events.h`, `Gtid_event`).
    fn take(&mut self, field: u64, reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        match field {
            // Flags, last_committed, sequence_number, transaction_length, the two
            // server versions, commit_group_ticket: one integer each, not used.
            0 | 4 | 5 | 8 | 9 | 10 | 11 => {
                varlen(reader)?;
            }
            1 => {
                let mut uuid = [0; 16];
                for byte in &mut uuid {
                    *byte = u8::try_from(varlen(reader)?).map_err(|_| Malformed("its uuid is not one"))?;
                }
                self.uuid = Some(uuid);
            }
            // Signed integers have the sign in the lowest bit.
            2 => self.number = varlen(reader)? >> 1,
            3 => self.tag = tag(reader)?,
            6 => self.immediate_us = varlen(reader)?,
            7 => self.original_us = Some(varlen(reader)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> Result<Announced, Malformed> {
        let uuid = self.uuid.ok_or(Malformed("it has no uuid"))?;
        let committed_us = self.original_us.unwrap_or(self.immediate_us);
        Ok(Announced {
            gtid: Some(identifier(uuid, self.tag, self.number)?),
            committed_us: Some(microseconds(committed_us)?),
        })
    }
}

fn identifier(uuid: [u8; 16], tag: String, number: u64) -> Result<Gtid, Malformed> {
    if number == 0 || i64::try_from(number).is_err() {
        return Err(Malformed("its transaction number is not one"));
    }
    Ok(Gtid { origin: Origin { uuid, tag }, number })
}

fn original_commit(reader: &mut Reader<'_>) -> Result<i64, Malformed> {
    let immediate = reader.uint(TIMESTAMP_LEN)?;
    if immediate & ORIGINAL_FOLLOWS == 0 {
        return microseconds(immediate);
    }
    microseconds(reader.uint(TIMESTAMP_LEN)?)
}

fn microseconds(value: u64) -> Result<i64, Malformed> {
    i64::try_from(value).map_err(|_| Malformed("its commit time is not one"))
}

fn tag(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let length = usize::try_from(varlen(reader)?).map_err(|_| Malformed("its tag is too long"))?;
    let tag = std::str::from_utf8(reader.take(length)?).map_err(|_| Malformed("its tag is not text"))?;
    let legal = tag.len() <= 32 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if legal { Ok(tag.to_ascii_lowercase()) } else { Err(Malformed("its tag is not one")) }
}

/// An unsigned integer of the library `mysql::serialization`: as many bytes as the
/// first has trailing ones, and one more; those bits are dropped. Nine bytes hold
/// 64 bits behind the first.
fn varlen(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    let first = reader.rest().first().copied().ok_or(Malformed("it ends inside a field"))?;
    let length = first.trailing_ones() as usize + 1;
    if length == 9 {
        reader.u8()?;
        return reader.u64();
    }
    reader.uint(length).map(|value| value >> length)
}
