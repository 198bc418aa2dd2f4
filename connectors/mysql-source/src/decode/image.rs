//! A row image: a bitmap of NULLs, then the values of the columns that are not.

use cdc_sdk::{Error, Kind, Result, Row, Table, Value};

use super::column::{Extent, Layout};
use crate::binlog::event::table_map::bit;
use crate::binlog::reader::{Malformed, Reader};

/// One image of a row, read where it lies.
#[derive(Clone, Copy, Debug)]
pub struct RowImage<'a> {
    table: &'a Table,
    layouts: &'a [Layout],
    nulls: &'a [u8],
    values: &'a [u8],
    file: &'a str,
    pos: u64,
}

thread_local! {
    /// The buffer for values that need a conversion, kept from row to row. It is
    /// taken out while a row is read, so that a reader may read another row meanwhile.
    static SCRATCH: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) };
}

/// A buffer larger than this is given back: one giant value must not be kept for ever.
const SCRATCH_KEPT_MAX: usize = 1 << 20;

impl<'a> RowImage<'a> {
    /// Reads an image's bounds, and moves `reader` behind it.
    pub(crate) fn read(
        table: &'a Table,
        layouts: &'a [Layout],
        origin: (&'a str, u64),
        reader: &mut Reader<'a>,
    ) -> Result<Self, Malformed> {
        let nulls = reader.take(layouts.len().div_ceil(8))?;
        let start = *reader;
        for (index, layout) in layouts.iter().enumerate() {
            if !bit(nulls, index) {
                layout.extent.take(reader)?;
            }
        }
        let length = start.len().saturating_sub(reader.len());
        let values = start.rest().get(..length).unwrap_or_default();
        Ok(Self { table, layouts, nulls, values, file: origin.0, pos: origin.1 })
    }

    /// The table whose row it is.
    pub fn table(&self) -> &'a Table {
        self.table
    }

    /// As [`Row::visit`], for the columns that are wanted only; the others are not
    /// decoded.
    ///
    /// # Errors
    /// A value contradicts itself ([`Kind::BinlogCorrupt`]), or what `f` returns.
    pub fn visit_some(
        &self,
        wanted: impl Fn(usize) -> bool,
        mut f: impl FnMut(usize, Value<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut scratch = SCRATCH.take();
        let outcome = self.walk(&mut scratch, wanted, &mut f);
        if scratch.capacity() <= SCRATCH_KEPT_MAX {
            SCRATCH.set(scratch);
        }
        outcome
    }

    fn walk(
        &self,
        scratch: &mut Vec<u8>,
        wanted: impl Fn(usize) -> bool,
        f: &mut impl FnMut(usize, Value<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut reader = Reader::new(self.values);
        for (index, layout) in self.layouts.iter().enumerate() {
            if bit(self.nulls, index) {
                if wanted(index) {
                    f(index, Value::Null)?;
                }
                continue;
            }
            let bytes = layout.extent.take(&mut reader).map_err(|why| self.malformed(index, why))?;
            if wanted(index) {
                let value = layout.codec.read(bytes, scratch).map_err(|why| self.malformed(index, why))?;
                f(index, value)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn malformed(&self, column: usize, why: Malformed) -> Error {
        let name = self.table.columns.get(column).map_or("?", |c| c.name.as_str());
        let what = format!("column {name} of {} in {}:{}: {}", self.table.name, self.file, self.pos, why.0);
        Error::new(Kind::BinlogCorrupt, what)
    }
}

impl Row for RowImage<'_> {
    fn visit<F>(&self, f: F) -> Result<()>
    where
        F: FnMut(usize, Value<'_>) -> Result<()>,
    {
        self.visit_some(|_| true, f)
    }
}

/// Moves over an image of which all columns are there.
#[inline]
pub(crate) fn skip_full_image(
    extents: impl ExactSizeIterator<Item = Extent>,
    reader: &mut Reader<'_>,
) -> Result<(), Malformed> {
    let nulls = reader.take(extents.len().div_ceil(8))?;
    for (index, extent) in extents.enumerate() {
        if !bit(nulls, index) {
            extent.take(reader)?;
        }
    }
    Ok(())
}

/// Moves over an image of which the columns of `present` are there.
pub(crate) fn skip_image(
    extents: &[Extent],
    present: &[u8],
    reader: &mut Reader<'_>,
) -> Result<(), Malformed> {
    let count = (0..extents.len()).filter(|index| bit(present, *index)).count();
    let nulls = reader.take(count.div_ceil(8))?;
    let there = extents.iter().enumerate().filter(|(index, _)| bit(present, *index));
    for (place, (_, extent)) in there.enumerate() {
        if !bit(nulls, place) {
            extent.take(reader)?;
        }
    }
    Ok(())
}
