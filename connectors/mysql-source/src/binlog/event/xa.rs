//! XA_PREPARE: the end of an XA transaction's rows.

use crate::binlog::reader::{Malformed, Reader};

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct XaPrepare {
    /// `XA COMMIT … ONE PHASE`: it is committed here and now.
    pub one_phase: bool,
    /// The XID as SQL writes it.
    pub xid: String,
}

/// Longest part of an XID (`MAXGTRIDSIZE`, `MAXBQUALSIZE`).
const PART_LEN_MAX: u32 = 64;

impl XaPrepare {
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let one_phase = reader.u8()? != 0;
        let format = reader.u32()?;
        let (gtrid, bqual) = (reader.u32()?, reader.u32()?);
        if gtrid > PART_LEN_MAX || bqual > PART_LEN_MAX {
            return Err(Malformed("its XID is too long"));
        }
        let gtrid = hex(reader.take(gtrid as usize)?);
        let bqual = hex(reader.take(bqual as usize)?);
        Ok(Self { one_phase, xid: format!("X'{gtrid}',X'{bqual}',{format}") })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
