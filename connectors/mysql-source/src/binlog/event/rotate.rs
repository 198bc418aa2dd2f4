//! ROTATE and HEARTBEAT: in which file the log goes on.

use crate::binlog::reader::{Malformed, Reader};

/// Longest file name that is believed (the server's `FN_REFLEN`).
const FILE_LEN_MAX: usize = 512;

/// The next file, and the offset in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotate {
    pub offset: u64,
    pub file: String,
}

impl Rotate {
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let offset = reader.u64()?;
        Ok(Self { offset, file: file_name(reader.rest())?.to_owned() })
    }
}

/// A log file's name: printable text, so that damage is seen.
fn file_name(bytes: &[u8]) -> Result<&str, Malformed> {
    let name = std::str::from_utf8(bytes).map_err(|_| Malformed("its file name is not text"))?;
    let plausible = !name.is_empty() && name.len() <= FILE_LEN_MAX && !name.contains(char::is_control);
    if plausible { Ok(name) } else { Err(Malformed("its file name is not one")) }
}
