//! The few statements that are run before the log is asked for, on the same connection, so that the same server
//! answers (MySQL source, `page_protocol_com_query_response`).

use bytes::Bytes;
use mysql_async::{DriverError, Error, ServerError};

use super::Wire;
use super::packets::Packets;
use crate::binlog::reader::{Malformed, Reader};

const COM_QUERY: u8 = 0x03;
const OK: u8 = 0x00;
const ERROR: u8 = 0xff;
const END: u8 = 0xfe;
/// A packet that starts like an end, and is longer, is a row.
const END_LEN_MAX: usize = 8;
const NULL: u8 = 0xfb;
/// Before the five characters of SQLSTATE.
const STATE_MARK: u8 = b'#';

/// Runs a statement; answers with the first row of its result.
pub(super) async fn run(packets: &mut Packets, statement: &str) -> Wire<Option<Vec<Option<String>>>> {
    let mut command = vec![COM_QUERY];
    command.extend_from_slice(statement.as_bytes());
    packets.command(&command).await?;
    let first = answer(packets).await?;
    if first.first() == Some(&OK) {
        return Ok(None);
    }
    while !is_end(&answer(packets).await?) {}
    let mut row = None;
    loop {
        let next = answer(packets).await?;
        if is_end(&next) {
            return Ok(row);
        }
        if row.is_none() {
            row = Some(texts(&next).map_err(|_| unexpected(&next))?);
        }
    }
}

/// Sends a command that is answered by OK.
pub(super) async fn tell(packets: &mut Packets, command: &[u8]) -> Wire<()> {
    packets.command(command).await?;
    answer(packets).await.map(drop)
}

/// The next packet, unless it is an error.
async fn answer(packets: &mut Packets) -> Wire<Bytes> {
    let packet = packets.next().await?;
    if packet.first() == Some(&ERROR) { Err(server_error(&packet)) } else { Ok(packet) }
}

/// Whether it says that nothing more comes.
pub(super) fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() <= END_LEN_MAX
}

fn texts(row: &[u8]) -> Result<Vec<Option<String>>, Malformed> {
    let mut reader = Reader::new(row);
    let mut texts = Vec::new();
    while let Some(first) = reader.rest().first() {
        texts.push(if *first == NULL {
            reader.u8()?;
            None
        } else {
            Some(String::from_utf8_lossy(reader.packed_bytes()?).into_owned())
        });
    }
    Ok(texts)
}

pub(super) fn unexpected(packet: &[u8]) -> Error {
    Error::Driver(DriverError::UnexpectedPacket { payload: packet.to_vec() })
}

/// What a packet of the kind ERR says. Before an account has logged in it has no SQLSTATE.
pub(super) fn server_error(packet: &[u8]) -> Error {
    let read = || {
        let mut reader = Reader::new(packet);
        reader.u8()?;
        let code = reader.u16()?;
        let state = if reader.rest().first() == Some(&STATE_MARK) { reader.take(6)? } else { &[] };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let state = text(state.get(1..).unwrap_or_default());
        Ok(ServerError { code, state, message: text(reader.rest()) })
    };
    read().map_or_else(|_: Malformed| unexpected(packet), Error::Server)
}
