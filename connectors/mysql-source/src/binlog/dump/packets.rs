//! MySQL's packets off a connection and onto it (MySQL source, `page_protocol_basic_packets`).
//!
//! What comes lies in one buffer that is used again and again. A packet that is whole in it is handed on where it
//! lies, without a copy. A larger one gets memory of its own, which goes with it.

use std::time::Duration;

use bytes::{Buf as _, BufMut, Bytes, BytesMut};
use cdc_sdk::endpoint::Tls;
use mysql_async::{DriverError, Error};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::Wire;
use crate::session;

/// What is read ahead at most.
const BUFFER_BYTES: usize = 256 << 10;
/// The largest packet that is handed on in the buffer. Much smaller than that, so that what there is of the next
/// one can be moved to the front.
const IN_BUFFER_MAX: usize = BUFFER_BYTES / 4;
/// With less room than this the buffer starts anew: what one TLS record brings.
const READ_BYTES_MIN: usize = 16 << 10;
const HEADER_LEN: usize = 4;
/// A packet of this length goes on in the next one.
const LENGTH_MAX: usize = 0xff_ffff;
/// The largest content that is taken: MySQL's own maximum.
pub(super) const CONTENT_BYTES_MAX: usize = 1 << 30;
/// How long to look once more when the time is up, since who waits may have been
/// away while packets came.
const GRACE: Duration = Duration::from_secs(1);

/// A connection, encrypted or not.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Io for T {}

/// Packets of one connection. Every wait for more may be given up: nothing is lost.
pub(super) struct Packets {
    io: Box<dyn Io>,
    silence: Silence,
    /// Has come, and is not taken.
    buffer: BytesMut,
    /// The packet being taken.
    begun: Option<Begun>,
    /// The number of the next packet, either way.
    number: u8,
    /// What has been put together of content that is too large for the buffer.
    large: Vec<u8>,
}

/// A packet whose header has been taken.
#[derive(Clone, Copy)]
struct Begun {
    /// Bytes that have not been taken.
    left: usize,
    /// The next one goes on with its content.
    goes_on: bool,
}

/// How long the connection may be silent. Any byte counts, whole packet or not: a large one takes a while to
/// arrive over a slow line, and meanwhile the server sends no heartbeat.
struct Silence {
    max: Duration,
    deadline: Instant,
    grace: bool,
}

impl Silence {
    fn new(max: Duration) -> Self {
        Self { max, deadline: Instant::now() + max, grace: false }
    }

    async fn read(&mut self, io: &mut dyn Io, into: &mut impl BufMut) -> Wire<usize> {
        if !self.grace && Instant::now() >= self.deadline {
            self.grace = true;
            self.deadline = Instant::now() + GRACE;
        }
        let count = timeout_at(self.deadline, io.read_buf(into)).await.map_err(|_| self.over())??;
        self.deadline = Instant::now() + self.max;
        self.grace = false;
        if count == 0 { Err(Error::Driver(DriverError::ConnectionClosed)) } else { Ok(count) }
    }

    fn over(&self) -> std::io::Error {
        let what = format!("the server has not been heard of for {} s", self.max.as_secs());
        std::io::Error::new(std::io::ErrorKind::TimedOut, what)
    }
}

impl Packets {
    /// Of a connection that has just been opened.
    pub fn new(io: Box<dyn Io>, silence_max: Duration) -> Self {
        Self {
            io,
            silence: Silence::new(silence_max),
            buffer: BytesMut::with_capacity(BUFFER_BYTES),
            begun: None,
            number: 0,
            large: Vec::new(),
        }
    }

    /// From now on the server speaks at least this often.
    pub fn expect_within(&mut self, silence_max: Duration) {
        self.silence = Silence::new(silence_max);
    }

    /// Encrypts what follows.
    pub async fn encrypt(self, tls: &Tls, host: &str) -> Wire<Self> {
        // What has come by now was not encrypted, whoever sent it.
        if !self.buffer.is_empty() {
            return Err(Error::Driver(DriverError::PacketOutOfOrder));
        }
        let io = Box::new(session::encrypted(tls, host, self.io).await?);
        Ok(Self { io, ..self })
    }

    /// Sends the first packet of an exchange.
    pub async fn command(&mut self, content: &[u8]) -> Wire<()> {
        self.number = 0;
        self.send(content).await
    }

    /// Sends the next packet of an exchange.
    pub async fn send(&mut self, content: &[u8]) -> Wire<()> {
        let mut rest = content;
        loop {
            let (part, after) = rest.split_at(rest.len().min(LENGTH_MAX));
            let [low, middle, high, ..] = part.len().to_le_bytes();
            let mut packet = vec![low, middle, high, self.number];
            self.number = self.number.wrapping_add(1);
            packet.extend_from_slice(part);
            self.io.write_all(&packet).await?;
            rest = after;
            if part.len() < LENGTH_MAX {
                break;
            }
        }
        Ok(self.io.flush().await?)
    }

    /// The next content, whole.
    pub async fn next(&mut self) -> Wire<Bytes> {
        let begun = self.begin().await?;
        if !self.fits(begun) {
            return self.next_large().await;
        }
        self.fill(begun.left).await?;
        Ok(self.whole(begun))
    }

    /// The next content, where it lies whole in the buffer: nothing is waited for.
    pub fn at_hand(&mut self) -> Wire<Option<Bytes>> {
        if self.begun.is_none() && self.buffer.len() < HEADER_LEN {
            return Ok(None);
        }
        let begun = self.header()?;
        let is_there = self.fits(begun) && begun.left <= self.buffer.len();
        Ok(is_there.then(|| self.whole(begun)))
    }

    /// Whether a content is one packet that is handed on in the buffer.
    fn fits(&self, begun: Begun) -> bool {
        self.large.is_empty() && !begun.goes_on && begun.left <= IN_BUFFER_MAX
    }

    /// The content, which has come.
    fn whole(&mut self, begun: Begun) -> Bytes {
        self.begun = None;
        self.buffer.split_to(begun.left).freeze()
    }

    /// Whether some of a content has been put aside, by a [`Self::next`] that was given up: then there is no beginning to
    /// look at.
    pub fn is_within(&self) -> bool {
        !self.large.is_empty()
    }

    /// How the next content begins, unless [`Self::is_within`] one: as many bytes as wanted (few), or all where it has fewer. They stay to be taken.
    /// Also answers how many there are, as far as that is known: `None` where it goes on in another packet.
    pub async fn peek(&mut self, wanted: usize) -> Wire<(&[u8], Option<usize>)> {
        let begun = self.begin().await?;
        let wanted = wanted.min(begun.left).min(IN_BUFFER_MAX);
        self.fill(wanted).await?;
        let length = (!begun.goes_on).then_some(begun.left);
        Ok((self.buffer.get(..wanted).unwrap_or_default(), length))
    }

    /// As many bytes of the next content as there are; `None` once it has been taken whole.
    pub async fn next_part(&mut self) -> Wire<Option<Bytes>> {
        let Some(begun) = self.rest().await? else { return Ok(None) };
        self.fill(1).await?;
        let count = begun.left.min(self.buffer.len());
        self.begun = Some(Begun { left: begun.left - count, ..begun });
        Ok(Some(self.buffer.split_to(count).freeze()))
    }

    async fn next_large(&mut self) -> Wire<Bytes> {
        while let Some(begun) = self.rest().await? {
            if self.large.len() + begun.left > CONTENT_BYTES_MAX {
                return Err(Error::Driver(DriverError::PacketTooLarge));
            }
            self.large.reserve_exact(begun.left);
            let count = match begun.left.min(self.buffer.len()) {
                0 => {
                    let mut into = (&mut self.large).limit(begun.left);
                    self.silence.read(&mut *self.io, &mut into).await?
                }
                there => {
                    self.large.extend_from_slice(self.buffer.get(..there).unwrap_or_default());
                    self.buffer.advance(there);
                    there
                }
            };
            self.begun = Some(Begun { left: begun.left - count, ..begun });
        }
        Ok(Bytes::from(std::mem::take(&mut self.large)))
    }

    /// The packet that has more of the content; `None` once it has been taken whole.
    async fn rest(&mut self) -> Wire<Option<Begun>> {
        loop {
            let begun = self.begin().await?;
            if begun.left > 0 {
                return Ok(Some(begun));
            }
            self.begun = None;
            if !begun.goes_on {
                return Ok(None);
            }
        }
    }

    /// Takes the next packet's header, unless that is done.
    async fn begin(&mut self) -> Wire<Begun> {
        if self.begun.is_none() {
            self.fill(HEADER_LEN).await?;
        }
        self.header()
    }

    /// As [`Self::begin`], for one that has come.
    fn header(&mut self) -> Wire<Begun> {
        if let Some(begun) = self.begun {
            return Ok(begun);
        }
        let header = self.buffer.get_u32_le();
        let [low, middle, high, number] = header.to_le_bytes();
        if number != self.number {
            return Err(Error::Driver(DriverError::PacketOutOfOrder));
        }
        self.number = number.wrapping_add(1);
        let left = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let begun = Begun { left, goes_on: left == LENGTH_MAX };
        self.begun = Some(begun);
        Ok(begun)
    }

    /// Reads until so many bytes are there; at most [`IN_BUFFER_MAX`].
    async fn fill(&mut self, wanted: usize) -> Wire<()> {
        while self.buffer.len() < wanted {
            if self.buffer.capacity() < wanted.max(self.buffer.len() + READ_BYTES_MIN) {
                // Once nobody uses what was handed on, this is the same memory.
                self.buffer.reserve(BUFFER_BYTES - self.buffer.len());
            }
            self.silence.read(&mut *self.io, &mut self.buffer).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
