//! The rows of one event, read where they lie.

use std::sync::Arc;

use cdc_sdk::position::Partial;
use cdc_sdk::{Error, Kind, Op, Result, RowChange, Table};

use super::event::rows::RowsHead;
use super::event::table_map::bit;
use super::frame::Frame;
use super::partial_json;
use super::reader::{Malformed, Reader};
use super::shape::Shape;
use super::shapes::Mapped;
use super::tally::{self, Tally};
use crate::decode::{RowImage, skip_full_image, skip_image};
use crate::shape::ShapeId;

/// Some changed rows of one captured table.
///
/// The event has been walked from end to end before it is handed out, so its rows
/// are all there; only a value itself may still turn out to be malformed.
#[derive(Debug)]
pub struct Rows {
    /// The table as it was when the rows were written.
    pub table: Arc<Table>,
    /// Its shape: the same as long as the table is.
    pub shape: ShapeId,
    /// What happened to them.
    pub op: Op,
    /// Byte offset of the event in the file.
    pub pos: u64,
    event: RowsEvent,
    /// What was read of the transaction before this event.
    before: Partial,
    /// Rows of this event that were delivered before a restart.
    skipped: u64,
    /// How many rows of this event are to be delivered.
    count: u64,
    /// Where the rows to deliver start.
    start: Walk,
    walk: Walk,
}

/// The event itself, which does not change while it is read.
#[derive(Debug)]
struct RowsEvent {
    frame: Frame,
    shape: Arc<Shape>,
    op: Op,
    file: Arc<str>,
    pos: u64,
    /// Where the rows start in the event's body.
    first: usize,
    /// The after images of the rows to deliver, where those in the body hold differences of JSON
    /// values in place of the values.
    whole_after: Option<Vec<u8>>,
    /// How many JSON columns the table has.
    json: usize,
}

/// A place among the rows of an event.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// Offset in the event's body.
    at: usize,
    /// Offset in the after images that were made whole.
    whole_at: usize,
    /// Rows passed, those delivered before a restart not counted.
    passed: u64,
}

/// A walk over the rows of an event that leaves [`Rows`] where it is.
#[derive(Debug)]
pub struct Cursor<'a> {
    rows: &'a Rows,
    walk: Walk,
}

/// What a rows event was found to hold.
pub(crate) enum Found {
    /// Rows to deliver.
    Rows(Box<Rows>),
    /// Rows of tables that are not captured, or delivered before.
    Nothing,
}

/// Reads a rows event: counts all its rows, and keeps those to deliver.
///
/// # Errors
/// [`Kind::BinlogCorrupt`] without a place, [`Kind::RowMismatch`],
/// [`Kind::ResumeMismatch`].
pub(crate) fn read(
    frame: Frame,
    head: &RowsHead,
    mapped: &Arc<Mapped>,
    tally: &mut Tally,
    origin: (&Arc<str>, u64),
) -> Result<Found> {
    if head.columns != mapped.extents.len() {
        return Err(mismatch(
            mapped,
            &format!("it has {} columns and its metadata {}", head.columns, mapped.extents.len()),
        ));
    }
    let before = tally.seen;
    let counted = count(frame.body(), head, mapped, tally)?;
    let Some(shape) = &mapped.shape else { return Ok(Found::Nothing) };
    if !Images::of(frame.body(), head).full {
        return Err(mismatch(mapped, "it lacks columns").hint("SET GLOBAL binlog_row_image = FULL; and in sessions that set it. To get past this event: leave the table out ([capture] exclude), run the source until it is past it, then take the table in again: it is read anew"));
    }
    if counted.total == counted.skipped {
        return Ok(Found::Nothing);
    }
    let start = Walk { at: counted.next, whole_at: 0, passed: 0 };
    let rows = frame.body().get(counted.next..).unwrap_or_default();
    let whole_after =
        head.partial_json.then(|| partial_json::whole_after_images(rows, &shape.layouts, mapped.json));
    let whole_after = whole_after.transpose().map_err(|why| corrupt(mapped, why))?;
    let event = RowsEvent {
        frame,
        shape: shape.clone(),
        op: head.op,
        file: origin.0.clone(),
        pos: origin.1,
        first: head.rows,
        whole_after,
        json: mapped.json,
    };
    Ok(Found::Rows(Box::new(Rows {
        table: shape.table.clone(),
        shape: shape.id,
        op: head.op,
        pos: origin.1,
        event,
        before,
        skipped: counted.skipped,
        count: counted.total - counted.skipped,
        start,
        walk: start,
    })))
}

/// What is in an event.
struct Counted {
    total: u64,
    /// Rows delivered before a restart, which come first.
    skipped: u64,
    /// Offset in the body of the first row after those.
    next: usize,
}

fn count(body: &[u8], head: &RowsHead, mapped: &Mapped, tally: &mut Tally) -> Result<Counted> {
    let images = Images::of(body, head);
    let mut counted = Counted { total: 0, skipped: 0, next: head.rows };
    let mut at = head.rows;
    while at < body.len() {
        let length = images.row_len(body, at, mapped).map_err(|why| corrupt(mapped, why))?;
        let row = body.get(at..at + length).unwrap_or_default();
        at += length;
        counted.total += 1;
        if tally.add(row)? {
            counted.skipped += 1;
            counted.next = at;
        }
    }
    Ok(counted)
}

/// How the images of a row are laid out.
struct Images<'a> {
    /// Which columns are in the first, and in the second of an update.
    present: [Option<&'a [u8]>; 2],
    full: bool,
    partial_json: bool,
}

impl<'a> Images<'a> {
    fn of(body: &'a [u8], head: &RowsHead) -> Self {
        let bitmap = |range: &std::ops::Range<usize>| body.get(range.clone()).unwrap_or_default();
        let present = [Some(bitmap(&head.present)), head.present_after.as_ref().map(bitmap)];
        let full = present.iter().flatten().all(|bits| (0..head.columns).all(|index| bit(bits, index)));
        Self { present, full, partial_json: head.partial_json }
    }

    fn row_len(&self, body: &[u8], at: usize, mapped: &Mapped) -> Result<usize, Malformed> {
        let mut reader = Reader::new(body.get(at..).unwrap_or_default());
        let left = reader.len();
        for (index, present) in self.present.iter().flatten().enumerate() {
            if self.partial_json && index == 1 {
                partial_json::read_bits(mapped.json, &mut reader)?;
            }
            if self.full {
                skip_full_image(mapped.extents.iter().copied(), &mut reader)?;
            } else {
                skip_image(&mapped.extents, present, &mut reader)?;
            }
        }
        // A table has a column at least, so a row has a byte at least: the walk ends.
        match left - reader.len() {
            0 => Err(Malformed("a row has no bytes")),
            length => Ok(length),
        }
    }
}

impl Rows {
    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// [`Kind::BinlogCorrupt`]: the bytes contradict themselves.
    pub fn next_row(&mut self) -> Result<Option<RowChange<RowImage<'_>>>> {
        self.event.step(&mut self.walk)
    }

    /// A walk of its own over all the rows to deliver.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { rows: self, walk: self.start }
    }

    /// How many rows there are to deliver.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the rows that [`Rows::next_row`] has not returned.
    pub fn remaining_bytes(&self) -> usize {
        self.event.frame.body().len().saturating_sub(self.walk.at)
    }

    /// How far into the transaction the row last returned is, with it. Costs a walk
    /// over the rows before it: to be asked where a cut ends, not for each row.
    ///
    /// # Errors
    /// [`Kind::BinlogCorrupt`]: the bytes contradict themselves.
    pub fn partial(&self) -> Result<Partial> {
        let body = self.event.frame.body();
        let mut partial = self.before;
        let mut at = self.event.first;
        for _ in 0..self.skipped + self.walk.passed {
            let from = at;
            at = self.event.row_end(from).map_err(|why| self.event.corrupt(why))?;
            partial = tally::add(partial, body.get(from..at).unwrap_or_default());
        }
        Ok(partial)
    }
}

impl Cursor<'_> {
    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// [`Kind::BinlogCorrupt`]: the bytes contradict themselves.
    pub fn next_row(&mut self) -> Result<Option<RowChange<RowImage<'_>>>> {
        self.rows.event.step(&mut self.walk)
    }
}

impl RowsEvent {
    fn step(&self, walk: &mut Walk) -> Result<Option<RowChange<RowImage<'_>>>> {
        let rest = self.frame.body().get(walk.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader::new(rest);
        let mut whole =
            Reader::new(self.whole_after.as_deref().and_then(|b| b.get(walk.whole_at..)).unwrap_or_default());
        let whole_len = whole.len();
        let change = self.change(&mut reader, &mut whole).map_err(|why| self.corrupt(why))?;
        *walk = Walk {
            at: walk.at + (rest.len() - reader.len()),
            whole_at: walk.whole_at + (whole_len - whole.len()),
            passed: walk.passed + 1,
        };
        Ok(Some(change))
    }

    fn change<'a>(
        &'a self,
        reader: &mut Reader<'a>,
        whole: &mut Reader<'a>,
    ) -> Result<RowChange<RowImage<'a>>, Malformed> {
        let image = |reader: &mut Reader<'a>| {
            RowImage::read(&self.shape.table, &self.shape.layouts, (&self.file, self.pos), reader)
        };
        let (before, after) = match self.op {
            Op::Update => {
                let before = image(reader)?;
                let after = match &self.whole_after {
                    None => image(reader)?,
                    Some(_) => {
                        self.skip_differences(reader)?;
                        image(whole)?
                    }
                };
                (Some(before), Some(after))
            }
            Op::Delete => (Some(image(reader)?), None),
            Op::Create | Op::Read | Op::Truncate => (None, Some(image(reader)?)),
        };
        Ok(RowChange { op: self.op, before, after })
    }

    fn skip_differences(&self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        partial_json::read_bits(self.json, reader)?;
        self.skip_image(reader)
    }

    fn skip_image(&self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        skip_full_image(self.shape.layouts.iter().map(|layout| layout.extent), reader)
    }

    /// Where the row that starts at a place of the body ends.
    fn row_end(&self, at: usize) -> Result<usize, Malformed> {
        let body = self.frame.body();
        let mut reader = Reader::new(body.get(at..).unwrap_or_default());
        self.skip_image(&mut reader)?;
        if self.op == Op::Update {
            match &self.whole_after {
                None => self.skip_image(&mut reader)?,
                Some(_) => self.skip_differences(&mut reader)?,
            }
        }
        Ok(body.len() - reader.len())
    }

    fn corrupt(&self, why: Malformed) -> Error {
        let what = format!("a row of {} in {}:{}: {}", self.shape.table.name, self.file, self.pos, why.0);
        Error::new(Kind::BinlogCorrupt, what)
    }
}

fn mismatch(mapped: &Mapped, why: &str) -> Error {
    Error::new(Kind::RowMismatch, format!("a row of {} does not fit its table: {why}", mapped.name))
}

fn corrupt(mapped: &Mapped, why: Malformed) -> Error {
    Error::new(Kind::BinlogCorrupt, format!("a row of {} cannot be read: {}", mapped.name, why.0))
}
