//! WRITE, UPDATE and DELETE_ROWS, versions 1 and 2, and PARTIAL_UPDATE_ROWS: the
//! part before the rows.

use std::ops::Range;

use cdc_sdk::Op;

use super::kind;
use crate::binlog::reader::{Malformed, Reader};

/// What stands before the rows of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowsHead {
    /// What happens to the rows.
    pub op: Op,
    /// After images may hold differences of JSON values in place of the values.
    pub partial_json: bool,
    /// Names the TABLE_MAP before it.
    pub table_id: u64,
    /// How many columns the table has.
    pub columns: usize,
    /// Where in the body the bitmap of the columns in the (before) image is.
    pub present: Range<usize>,
    /// The same of the after image of an UPDATE.
    pub present_after: Option<Range<usize>>,
    /// Where in the body the rows start.
    pub rows: usize,
}

/// Most columns that a table can have (MySQL's `MAX_FIELDS`), hidden ones beside.
pub(crate) const COLUMNS_MAX: usize = 4096 * 2;

impl RowsHead {
    /// Reads the head of an event of one of the seven types.
    pub fn read(event_kind: u8, body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let table_id = reader.uint(6)?;
        reader.u16()?;
        if !matches!(event_kind, kind::WRITE_ROWS_V1 | kind::UPDATE_ROWS_V1 | kind::DELETE_ROWS_V1) {
            let extra = usize::from(reader.u16()?).checked_sub(2);
            reader.take(extra.ok_or(Malformed("its extra data is too short"))?)?;
        }
        let columns = reader.packed_len()?;
        if columns > COLUMNS_MAX {
            return Err(Malformed("it has more columns than a table can have"));
        }
        let op = match event_kind {
            kind::WRITE_ROWS | kind::WRITE_ROWS_V1 => Op::Create,
            kind::UPDATE_ROWS | kind::UPDATE_ROWS_V1 | kind::PARTIAL_UPDATE_ROWS => Op::Update,
            kind::DELETE_ROWS | kind::DELETE_ROWS_V1 => Op::Delete,
            _ => return Err(Malformed("it is no rows event")),
        };
        let mut bitmap = || {
            let start = body.len() - reader.len();
            reader.take(columns.div_ceil(8)).map(|bytes| start..start + bytes.len())
        };
        let present = bitmap()?;
        let present_after = if op == Op::Update { Some(bitmap()?) } else { None };
        let partial_json = event_kind == kind::PARTIAL_UPDATE_ROWS;
        Ok(Self {
            op,
            partial_json,
            table_id,
            columns,
            present,
            present_after,
            rows: body.len() - reader.len(),
        })
    }
}
