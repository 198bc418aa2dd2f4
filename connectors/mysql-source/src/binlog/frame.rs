//! One event as it came: its header, and its body with the checksum checked and
//! taken off.
//!
//! Nobody else checks it: a flipped bit in a packet or a file would become a wrong row.

use bytes::Bytes;

use super::event::kind;
use super::reader::{Malformed, Reader};

/// An event's header (MySQL manual, "Binlog Event header").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// When the statement started, seconds since 1970.
    pub timestamp: u32,
    /// The event's type.
    pub kind: u8,
    /// The server that first wrote it.
    pub server_id: u32,
    /// Header, body and checksum, bytes.
    pub size: u32,
    /// The low 32 bits of the file offset after it; 0 in events that are in no file.
    pub log_pos: u32,
    /// Flags.
    pub flags: u16,
}

/// Bytes of a header.
pub(crate) const HEADER_LEN: usize = 19;
/// Header flag: the file was still being written.
const IN_USE: u16 = 0x0001;
/// Header flag: what a statement means depends on the session that ran it; its names may be those of temporary tables.
const THREAD_SPECIFIC: u16 = 0x0004;
/// Header flag: a reader that does not know the type may skip the event.
const IGNORABLE: u16 = 0x0080;
/// The checksum's algorithms (`binlog_event.h`, `enum_binlog_checksum_alg`).
const NO_CHECKSUM: u8 = 0;
pub(crate) const CRC32: u8 = 1;
/// Bytes of a checksum.
pub(crate) const CHECKSUM_LEN: usize = 4;
/// Where in a header the type is.
const KIND_AT: usize = 4;

impl Header {
    /// Whether a reader that does not know the type may skip the event.
    pub fn is_ignorable(&self) -> bool {
        self.flags & IGNORABLE != 0
    }

    /// Whether the names in a statement may be those of the session's temporary tables: in every TRUNCATE and ALTER of
    /// one, where the session logs statements. (Every DROP TABLE says so, too.)
    pub fn is_of_session(&self) -> bool {
        self.flags & THREAD_SPECIFIC != 0
    }

    /// Whether an event that starts so is a compressed transaction.
    pub fn is_payload(event: &[u8]) -> bool {
        event.get(KIND_AT) == Some(&kind::TRANSACTION_PAYLOAD)
    }

    /// Reads it from the first bytes of an event.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            timestamp: reader.u32()?,
            kind: reader.u8()?,
            server_id: reader.u32()?,
            size: reader.u32()?,
            log_pos: reader.u32()?,
            flags: reader.u16()?,
        })
    }

    /// The bytes that the checksum covers; in a format description without the in-use
    /// flag, which is cleared when the file is closed.
    fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&self.timestamp.to_le_bytes());
        bytes[4] = self.kind;
        bytes[5..9].copy_from_slice(&self.server_id.to_le_bytes());
        bytes[9..13].copy_from_slice(&self.size.to_le_bytes());
        bytes[13..17].copy_from_slice(&self.log_pos.to_le_bytes());
        let kept = if self.kind == kind::FORMAT_DESCRIPTION { !IN_USE } else { u16::MAX };
        bytes[17..19].copy_from_slice(&(self.flags & kept).to_le_bytes());
        bytes
    }

    fn checksum(self, parts: &[&[u8]]) -> [u8; 4] {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.to_bytes());
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().to_le_bytes()
    }
}

const UNKNOWN_ALGORITHM: Malformed = Malformed("its checksum algorithm is unknown");
/// What an event is said to be whose checksum is another.
pub(crate) const WRONG_CHECKSUM: Malformed = Malformed("its checksum is wrong");

/// Compares an event's checksum, where it has one. A format description that says that
/// there are none has one itself; if that is right for one that says otherwise, the
/// byte that says it is damaged. (Right for what it says it need not be: the server
/// changes other fields as it sends it.)
fn compare(header: Header, algorithm: u8, body: &[u8], stored: Option<[u8; 4]>) -> Result<(), Malformed> {
    let is_format = header.kind == kind::FORMAT_DESCRIPTION;
    let tail: &[u8] = if is_format { &[CRC32] } else { &[] };
    let right = || stored == Some(header.checksum(&[body, tail]));
    let wrong = if algorithm == CRC32 { !right() } else { is_format && right() };
    if wrong { Err(WRONG_CHECKSUM) } else { Ok(()) }
}

/// Where an event stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// In the log itself.
    Log,
    /// In a compressed transaction: its checksum is that of the whole, and it has no place of its own in the file.
    Payload {
        /// It is the last one there.
        last: bool,
    },
}

/// An event whose checksum, where there is one, is right. (That of a large compressed transaction is compared
/// before the last of its events is made a frame.)
#[derive(Debug)]
pub(crate) struct Frame {
    /// Its header.
    pub header: Header,
    /// Where it stood.
    pub home: Home,
    body: Bytes,
}

impl Frame {
    /// The bytes between header and checksum.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same, to be kept.
    pub fn body_bytes(&self) -> Bytes {
        self.body.clone()
    }

    /// The same in memory of its own: what it came in holds others, too, and is to be used again.
    pub fn detached(self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), ..self }
    }

    /// Reads one event. `algorithm` is that of the last format description, if one has come,
    /// and is replaced by one.
    pub fn read(event: Bytes, algorithm: &mut Option<u8>) -> Result<Self, Malformed> {
        let header = Header::read(&mut Reader::new(&event))?;
        if usize::try_from(header.size) != Ok(event.len()) {
            return Err(Malformed("its size is another than it says"));
        }
        let bytes = event.slice(HEADER_LEN..);
        let is_format = header.kind == kind::FORMAT_DESCRIPTION;
        if is_format {
            let at = bytes.len().checked_sub(1 + CHECKSUM_LEN);
            let named = at.and_then(|at| bytes.get(at)).copied().unwrap_or(NO_CHECKSUM);
            if named > CRC32 {
                return Err(UNKNOWN_ALGORITHM);
            }
            *algorithm = Some(named);
        }
        if header.kind == kind::ROTATE && header.log_pos == 0 {
            return Self::announcement(header, bytes, *algorithm);
        }
        let algorithm = algorithm.unwrap_or(NO_CHECKSUM);
        let trailer = match (is_format, algorithm) {
            (true, _) => 1 + CHECKSUM_LEN,
            (false, CRC32) => CHECKSUM_LEN,
            (false, _) => 0,
        };
        let stored = bytes.last_chunk::<CHECKSUM_LEN>().copied().filter(|_| trailer > 0);
        let body = bytes.slice(..bytes.len().saturating_sub(trailer));
        compare(header, algorithm, &body, stored)?;
        Ok(Self { header, home: Home::Log, body })
    }

    /// A ROTATE that is in no file. The first one comes before any format
    /// description, so whether it ends with a checksum is told by the checksum
    /// itself: those four bytes are right by chance once in 2^32.
    fn announcement(header: Header, bytes: Bytes, algorithm: Option<u8>) -> Result<Self, Malformed> {
        let right = bytes
            .split_last_chunk::<CHECKSUM_LEN>()
            .is_some_and(|(body, checksum)| *checksum == header.checksum(&[body]));
        if algorithm == Some(CRC32) && !right {
            return Err(WRONG_CHECKSUM);
        }
        let length = if right { bytes.len().saturating_sub(CHECKSUM_LEN) } else { bytes.len() };
        Ok(Self { header, home: Home::Log, body: bytes.slice(..length) })
    }

    /// Reads one event from a compressed transaction.
    pub fn in_payload(event: Bytes, last: bool) -> Result<Self, Malformed> {
        let header = Header::read(&mut Reader::new(&event))?;
        Ok(Self { header, home: Home::Payload { last }, body: event.slice(HEADER_LEN..) })
    }

    /// An event whose body comes later, in parts.
    pub fn without_body(header: Header) -> Self {
        Self { header, home: Home::Log, body: Bytes::new() }
    }

    /// Reads one event from the bytes of a binlog file, as tests do.
    #[cfg(test)]
    pub fn from_file(reader: &mut Reader<'_>, algorithm: &mut Option<u8>) -> Result<Self, Malformed> {
        let header = Header::read(&mut reader.clone())?;
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        Self::read(Bytes::copy_from_slice(reader.take(size)?), algorithm)
    }

    /// An event made by hand.
    #[cfg(test)]
    pub fn made(header: Header, body: Vec<u8>) -> Self {
        Self { header, home: Home::Log, body: body.into() }
    }
}
