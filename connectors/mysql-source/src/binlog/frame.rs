//! One event as it came: its header, and its body with the checksum checked and
//! taken off.
//!
//! Nobody else checks it: the client library strips the four bytes and hands the
//! rest on, so a flipped bit in a packet or a file would become a wrong row.

use mysql_async::binlog::BinlogChecksumAlg;
use mysql_async::binlog::events::Event as Packet;

use super::event::kind;
use super::reader::Malformed;
#[cfg(test)]
use super::reader::Reader;

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
/// Header flag: a reader that does not know the type may skip the event.
const IGNORABLE: u16 = 0x0080;
const CRC32: u8 = BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32 as u8;
const NO_CHECKSUM: u8 = BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_OFF as u8;

impl Header {
    /// Whether a reader that does not know the type may skip the event.
    pub fn is_ignorable(&self) -> bool {
        self.flags & IGNORABLE != 0
    }

    /// Reads it from the first bytes of an event in a file.
    #[cfg(test)]
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

/// Compares an event's checksum, where it has one. A format description that says that
/// there are none has one itself; if that is right for one that says otherwise, the
/// byte that says it is damaged. (Right for what it says it need not be: the server
/// changes other fields as it sends it.)
fn compare(header: Header, algorithm: u8, body: &[u8], stored: Option<[u8; 4]>) -> Result<(), Malformed> {
    let is_format = header.kind == kind::FORMAT_DESCRIPTION;
    let tail: &[u8] = if is_format { &[CRC32] } else { &[] };
    let right = || stored == Some(header.checksum(&[body, tail]));
    let wrong = if algorithm == CRC32 { !right() } else { is_format && right() };
    if wrong { Err(Malformed("its checksum is wrong")) } else { Ok(()) }
}

/// An event whose checksum, where there is one, is right.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Its header.
    pub header: Header,
    /// It was inside a compressed transaction: its checksum is that of the whole, and
    /// it has no place of its own in the file.
    pub inner: bool,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// In the packet that it came in, so that nothing is copied.
    Packet(Box<Packet>),
    /// On its own, without the last `trailer` bytes.
    Owned { bytes: Vec<u8>, trailer: usize },
}

impl Frame {
    /// The bytes between header and checksum.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Packet(packet) => packet.data(),
            Body::Owned { bytes, trailer } => {
                bytes.get(..bytes.len().saturating_sub(*trailer)).unwrap_or_default()
            }
        }
    }

    /// Checks an event of the client library, which has taken the checksum off
    /// as the last format description told it to.
    pub fn from_packet(packet: Packet) -> Result<Self, Malformed> {
        let raw = packet.header();
        let header = Header {
            timestamp: raw.timestamp(),
            kind: raw.event_type_raw(),
            server_id: raw.server_id(),
            size: raw.event_size(),
            log_pos: raw.log_pos(),
            flags: raw.flags_raw(),
        };
        let algorithm = match packet.footer().get_checksum_alg() {
            Ok(Some(known)) => known as u8,
            Ok(None) => NO_CHECKSUM,
            Err(_) => return Err(UNKNOWN_ALGORITHM),
        };
        if header.kind == kind::ROTATE && header.log_pos == 0 {
            return Self::announcement(header, packet.data(), packet.checksum());
        }
        let inner = !packet.footer().get_checksum_enabled();
        if !inner {
            compare(header, algorithm, packet.data(), packet.checksum())?;
        }
        Ok(Self { header, inner, body: Body::Packet(Box::new(packet)) })
    }

    /// A ROTATE that is in no file. The first one comes before any format
    /// description, so whether it ends with a checksum is told by the checksum
    /// itself: those four bytes are right by chance once in 2^32.
    fn announcement(header: Header, data: &[u8], stripped: Option<[u8; 4]>) -> Result<Self, Malformed> {
        let owned =
            |trailer| Self { header, inner: false, body: Body::Owned { bytes: data.to_vec(), trailer } };
        if let Some(checksum) = stripped {
            let right = checksum == header.checksum(&[data]);
            return right.then(|| owned(0)).ok_or(Malformed("its checksum is wrong"));
        }
        let checksummed = data
            .split_last_chunk::<4>()
            .is_some_and(|(body, checksum)| *checksum == header.checksum(&[body]));
        Ok(owned(if checksummed { 4 } else { 0 }))
    }

    /// Reads one event from the bytes of a binlog file, as tests do; `algorithm`
    /// is that of the file's format description and is replaced by one.
    #[cfg(test)]
    pub fn from_file(reader: &mut Reader<'_>, algorithm: &mut u8) -> Result<Self, Malformed> {
        let header = Header::read(reader)?;
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        let bytes = reader.take(size.checked_sub(HEADER_LEN).ok_or(Malformed("its size is too small"))?)?;
        let is_format = header.kind == kind::FORMAT_DESCRIPTION;
        if is_format {
            *algorithm = bytes.len().checked_sub(5).and_then(|at| bytes.get(at)).copied().unwrap_or(0);
            if *algorithm > CRC32 {
                return Err(UNKNOWN_ALGORITHM);
            }
        }
        let trailer = if is_format { 5 } else { 4 * usize::from(*algorithm) };
        let body = bytes.get(..bytes.len().saturating_sub(trailer)).unwrap_or_default();
        let stored = bytes.last_chunk::<4>().copied().filter(|_| trailer > 0);
        compare(header, *algorithm, body, stored)?;
        Ok(Self { header, inner: false, body: Body::Owned { bytes: bytes.to_vec(), trailer } })
    }

    /// An event made by hand.
    #[cfg(test)]
    pub fn made(header: Header, body: Vec<u8>) -> Self {
        Self { header, inner: false, body: Body::Owned { bytes: body, trailer: 0 } }
    }
}
