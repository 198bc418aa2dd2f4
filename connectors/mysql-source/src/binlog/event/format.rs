//! FORMAT_DESCRIPTION: which server wrote the file.

use crate::binlog::reader::{Malformed, Reader};

/// What is used of it; the checksum's algorithm is read with the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// The server's version as it prints it: `9.7.4`.
    pub server_version: String,
}

/// The only binlog version since MySQL 5.0.
const VERSION: u16 = 4;
/// Bytes of the version text, padded with NUL.
const SERVER_VERSION_LEN: usize = 50;

impl Format {
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        if reader.u16()? != VERSION {
            return Err(Malformed("its binlog version is not 4"));
        }
        let padded = reader.take(SERVER_VERSION_LEN)?;
        let text = padded.split(|byte| *byte == 0).next().unwrap_or_default();
        reader.u32()?;
        if usize::from(reader.u8()?) != crate::binlog::frame::HEADER_LEN {
            return Err(Malformed("its events have another header"));
        }
        Ok(Self { server_version: String::from_utf8_lossy(text).into_owned() })
    }
}
