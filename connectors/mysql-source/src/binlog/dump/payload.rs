//! A compressed transaction, unpacked as it comes (MySQL source, `libs/mysql/binlog/event/codecs/binary.cpp`,
//! `Transaction_payload`). No I/O: parts of the event in, the events inside of it out.
//!
//! Memory is that of one event inside, and of the window that the compressor chose (2 MiB at the server's usual
//! level): never that of the transaction. What the event says of its lengths is only believed as far as bytes come.
//! Its last event is given when all of it has come, and is as long and has the checksum that it says.

use bytes::{Buf as _, Bytes, BytesMut};
use zstd::stream::raw::{DParameter, Decoder, Operation as _};

use crate::binlog::frame::{CHECKSUM_LEN, CRC32, Frame, HEADER_LEN, Header, WRONG_CHECKSUM};
use crate::binlog::reader::{Malformed, Reader};

/// From so many bytes of the event all is known that stands before what is compressed.
pub(super) const START_LEN: usize = HEADER_LEN + 64;
/// Bytes unpacked at a time.
const STEP_BYTES: usize = 64 << 10;
/// What is unpacked lies in a buffer of this size, which is used again. An event that needs more takes it along.
const BUFFER_BYTES: usize = 4 * STEP_BYTES;
/// The largest window, of 128 MiB: what `binlog_transaction_compression_level_zstd = 22` asks for.
const WINDOW_LOG_MAX: u32 = 27;

/// Fields of the event, by number.
const END_MARK: u64 = 0;
const SIZE: u64 = 1;
const COMPRESSION: u64 = 2;
const UNCOMPRESSED_SIZE: u64 = 3;
/// Compression types.
const ZSTD: u64 = 0;
const NONE: u64 = 255;

const SHORT: Malformed = Malformed("it ends too early");
const LONG: Malformed = Malformed("it is longer than it says");

/// What comes of a compressed transaction next.
#[derive(Debug)]
pub(super) enum Step {
    /// An event of it.
    Event(Frame),
    /// Nothing, before more of it has come.
    Hungry,
    /// Nothing more. Where none was begun, too.
    Over,
}

/// The compressed transaction that is being read, and what serves one after the other.
#[derive(Default)]
pub(super) struct Payload {
    /// Bytes still to come that stand before what is compressed.
    skip: usize,
    /// Compressed bytes still to come.
    to_come: usize,
    /// Of the event so far, where it is still to be compared.
    checksum: Option<crc32fast::Hasher>,
    /// Of the checksum it says.
    stored: Vec<u8>,
    /// Its packet is not taken to its end.
    packet_open: bool,
    compressed: bool,
    /// Unpacked bytes that have not been given, as it says.
    unread: u64,
    /// Compressed bytes that have come.
    input: Bytes,
    /// They have been used, and yet there is more unpacked.
    more: bool,
    /// The compressor's data are at an end.
    finished: bool,
    unpacked: BytesMut,
    decoder: Option<Decoder<'static>>,
}

/// What stands before the compressed bytes.
struct Fields {
    /// Bytes of all that.
    length: usize,
    size: usize,
    compressed: bool,
    uncompressed_size: u64,
}

impl Fields {
    fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let (mut size, mut compression, mut uncompressed_size) = (None, None, None);
        loop {
            let field = reader.packed()?;
            if field == END_MARK {
                break;
            }
            let mut value = Reader::new(reader.packed_bytes()?);
            match field {
                SIZE => size = Some(value.packed_len()?),
                COMPRESSION => compression = Some(value.packed()?),
                UNCOMPRESSED_SIZE => uncompressed_size = Some(value.packed()?),
                _ => {}
            }
        }
        let size = size.ok_or(Malformed("it does not say its size"))?;
        let compressed = match compression {
            Some(ZSTD) => true,
            Some(NONE) => false,
            _ => return Err(Malformed("its compression type is unknown")),
        };
        let uncompressed_size = match (compressed, uncompressed_size) {
            (_, Some(0)) => return Err(Malformed("it holds no events")),
            (_, Some(said)) => said,
            (false, None) => size as u64,
            (true, None) => return Err(Malformed("it does not say its uncompressed size")),
        };
        Ok(Self { length: body.len() - reader.len(), size, compressed, uncompressed_size })
    }
}

impl Payload {
    /// One that has come whole, and whose checksum is right.
    pub fn begin_whole(&mut self, frame: &Frame) -> Result<(), Malformed> {
        let fields = Fields::read(frame.body())?;
        let mut body = frame.body_bytes();
        body.advance(fields.length);
        if body.len() != fields.size {
            return Err(Malformed("its payload's size is another than it says"));
        }
        self.begin(&fields)?;
        self.input = body;
        Ok(())
    }

    /// One of which the start is known, and nothing taken. Its packet's parts are to be fed from the first byte.
    pub fn begin_in_parts(&mut self, start: &[u8], algorithm: Option<u8>) -> Result<Frame, Malformed> {
        let mut reader = Reader::new(start);
        let header = Header::read(&mut reader)?;
        let fields = Fields::read(reader.rest())?;
        let checksum_len = if algorithm == Some(CRC32) { CHECKSUM_LEN } else { 0 };
        let before = HEADER_LEN + fields.length;
        let size = (before + checksum_len).checked_add(fields.size);
        if size.is_none() || usize::try_from(header.size).ok() != size {
            return Err(Malformed("its size is another than it says"));
        }
        self.begin(&fields)?;
        // What the packet has before the event is one byte.
        self.skip = 1 + before;
        self.to_come = fields.size;
        self.packet_open = true;
        if checksum_len > 0 {
            let mut checksum = crc32fast::Hasher::new();
            checksum.update(start.get(..before).unwrap_or_default());
            self.checksum = Some(checksum);
        }
        Ok(Frame::without_body(header))
    }

    fn begin(&mut self, fields: &Fields) -> Result<(), Malformed> {
        if fields.compressed {
            self.prepare_decoder().map_err(|_| Malformed("there is no decoder for it"))?;
        }
        self.compressed = fields.compressed;
        self.unread = fields.uncompressed_size;
        self.skip = 0;
        self.to_come = 0;
        self.checksum = None;
        self.stored.clear();
        self.more = false;
        self.finished = false;
        self.unpacked.clear();
        Ok(())
    }

    fn prepare_decoder(&mut self) -> std::io::Result<()> {
        match &mut self.decoder {
            Some(decoder) => decoder.reinit(),
            None => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
                self.decoder = Some(decoder);
                Ok(())
            }
        }
    }

    /// Whether the packet of what was read in parts has not been taken to its end.
    pub fn has_packet_open(&self) -> bool {
        self.packet_open
    }

    /// It has.
    pub fn close_packet(&mut self) {
        self.packet_open = false;
    }

    /// Takes the next part of its packet. To be called when it is hungry.
    pub fn feed(&mut self, mut part: Bytes) -> Result<(), Malformed> {
        let skipped = self.skip.min(part.len());
        part.advance(skipped);
        self.skip -= skipped;
        self.input = part.split_to(self.to_come.min(part.len()));
        self.to_come -= self.input.len();
        let checksum_len = match &mut self.checksum {
            Some(checksum) => {
                checksum.update(&self.input);
                CHECKSUM_LEN
            }
            None => 0,
        };
        self.stored.extend_from_slice(part.get(..part.len().min(CHECKSUM_LEN)).unwrap_or_default());
        if part.len() > CHECKSUM_LEN || self.stored.len() > checksum_len { Err(LONG) } else { Ok(()) }
    }

    /// What comes next.
    pub fn step(&mut self) -> Result<Step, Malformed> {
        loop {
            if self.unread == 0 {
                return Ok(Step::Over);
            }
            if let Some(frame) = self.event()? {
                return Ok(Step::Event(frame));
            }
            if !self.input.is_empty() || self.more {
                self.unpack()?;
            } else if self.has_come() {
                return Err(SHORT);
            } else {
                return Ok(Step::Hungry);
            }
        }
    }

    /// Whether all of it has come.
    fn has_come(&self) -> bool {
        self.to_come == 0 && (self.checksum.is_none() || self.stored.len() == CHECKSUM_LEN)
    }

    /// The next event, if it is unpacked; if it is the last, only when nothing else is to come.
    fn event(&mut self) -> Result<Option<Frame>, Malformed> {
        if self.unpacked.len() < HEADER_LEN {
            return Ok(None);
        }
        let header = Header::read(&mut Reader::new(&self.unpacked))?;
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        if size < HEADER_LEN || u64::from(header.size) > self.unread {
            return Err(Malformed("an event in it is of another size than it says"));
        }
        if self.unpacked.len() < size {
            return Ok(None);
        }
        let last = u64::from(header.size) == self.unread;
        if last && !self.is_right_to_the_end(size)? {
            return Ok(None);
        }
        self.unread -= u64::from(header.size);
        let event = self.unpacked.split_to(size).freeze();
        if size > BUFFER_BYTES {
            let rest = std::mem::take(&mut self.unpacked);
            self.unpacked.extend_from_slice(&rest);
        }
        Frame::in_payload(event, last).map(Some)
    }

    /// Whether it is at its end, behind the last event of this size.
    fn is_right_to_the_end(&mut self, size: usize) -> Result<bool, Malformed> {
        if self.unpacked.len() > size {
            return Err(LONG);
        }
        if !self.input.is_empty() || self.more || !self.has_come() {
            return Ok(false);
        }
        if !self.finished {
            return Err(SHORT);
        }
        let right = self.checksum.take().is_none_or(|it| it.finalize().to_le_bytes() == *self.stored);
        if right { Ok(true) } else { Err(WRONG_CHECKSUM) }
    }

    /// Unpacks a little, and one byte more than it says to be in it at most.
    fn unpack(&mut self) -> Result<(), Malformed> {
        let from = self.unpacked.len();
        let left = usize::try_from(self.unread).unwrap_or(usize::MAX).saturating_sub(from);
        let room = STEP_BYTES.min(left.saturating_add(1));
        if self.unpacked.capacity() < from + room {
            self.unpacked.reserve(room.max(BUFFER_BYTES.saturating_sub(from)));
        }
        self.unpacked.resize(from + room, 0);
        let output = self.unpacked.get_mut(from..).unwrap_or_default();
        let (read, written) = match self.decoder.as_mut().filter(|_| self.compressed) {
            Some(decoder) => {
                let status = decoder
                    .run_on_buffers(&self.input, output)
                    .map_err(|_| Malformed("what is compressed in it is damaged"))?;
                self.finished = status.remaining == 0;
                (status.bytes_read, status.bytes_written)
            }
            None => {
                let count = room.min(self.input.len());
                output.iter_mut().zip(&self.input).for_each(|(to, from)| *to = *from);
                self.finished = true;
                (count, count)
            }
        };
        self.unpacked.truncate(from + written);
        if read == 0 && written == 0 && !self.input.is_empty() {
            return Err(Malformed("what is compressed in it does not go on"));
        }
        self.input.advance(read);
        if self.input.is_empty() {
            // What it came in is to be used again.
            self.input = Bytes::new();
        }
        self.more = written == room && !self.finished;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
