//! A document with differences applied to it (`sql-common/json_diff.cc`).
//!
//! Under `binlog_row_value_options = PARTIAL_JSON` an after image may hold, in place of a JSON value,
//! what has changed: at a path a value is replaced, inserted or removed. Each difference writes the
//! document once more, without taking it apart: arrays and objects along the path get new lists of
//! their parts, everything else is copied as it is. So it takes the memory of two documents, however
//! many parts they have.

use super::container::{Container, OUTSIDE, kind};
use super::path::{self, Leg};
use super::scalar;
use crate::binlog::reader::{Malformed, Reader};

/// Most bytes for a byte of document and differences. The lists along the path may need more than
/// before, by less than that; parts that lie over each other, which no server writes, by more.
const GROWTH_MAX: usize = 4;

mod operation {
    pub const REPLACE: u8 = 0;
    pub const INSERT: u8 = 1;
    pub const REMOVE: u8 = 2;
}

/// What is done to the place that a path leads to.
#[derive(Clone, Copy)]
enum Change<'a> {
    Replace(Part<'a>),
    Insert(Part<'a>),
    Remove,
}

/// A value: its type, and the bytes that it takes.
#[derive(Clone, Copy)]
struct Part<'a> {
    kind: u8,
    bytes: &'a [u8],
}

/// The document after all differences.
///
/// # Errors
/// The bytes contradict themselves, or a path leads nowhere: the differences are of another document.
pub(crate) fn patched(document: &[u8], differences: &[u8]) -> Result<Vec<u8>, Malformed> {
    let most = (document.len() + differences.len()).saturating_mul(GROWTH_MAX).saturating_add(64);
    let mut reader = Reader::new(differences);
    let mut current: Option<Vec<u8>> = None;
    while !reader.is_empty() {
        let operation = reader.u8()?;
        let legs = path::read(reader.packed_bytes()?)?;
        let change = match operation {
            operation::REPLACE => Change::Replace(Part::whole(reader.packed_bytes()?)?),
            operation::INSERT => Change::Insert(Part::whole(reader.packed_bytes()?)?),
            operation::REMOVE => Change::Remove,
            _ => return Err(Malformed("the operation of a JSON difference is unknown")),
        };
        let before = Part::whole(current.as_deref().unwrap_or(document))?;
        let mut writer = Writer { out: Vec::with_capacity(before.bytes.len() + 64), most };
        writer.out.push(0);
        let kind = writer.along(before, &legs, change)?;
        writer.out.splice(..1, [kind]);
        current = Some(writer.out);
    }
    Ok(current.unwrap_or_else(|| document.to_vec()))
}

impl<'a> Part<'a> {
    /// A document: its type stands before it.
    fn whole(document: &'a [u8]) -> Result<Self, Malformed> {
        let (kind, bytes) = document.split_first().ok_or(Malformed("a JSON value has no bytes"))?;
        Self::new(*kind, bytes)
    }

    /// `bytes` may go on behind it.
    fn new(kind: u8, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let bytes = match kind::is_container(kind) {
            true => Container::read(kind, bytes)?.bytes,
            false => scalar::bytes_of(kind, bytes)?,
        };
        Ok(Self { kind, bytes })
    }

    /// Whether it stands in place of its offset in a large container.
    fn is_inline(self) -> bool {
        matches!(self.kind, kind::LITERAL | kind::INT16 | kind::UINT16 | kind::INT32 | kind::UINT32)
    }
}

/// Where in a container a path goes on, or ends.
struct Place {
    index: usize,
    /// There is a part; else it is where a new one belongs.
    found: bool,
}

impl Place {
    fn find(container: &Container<'_>, leg: &Leg<'_>) -> Result<Self, Malformed> {
        match leg {
            Leg::Cell { index, from_end } if !container.is_object => {
                let count = container.count;
                let inside = *index < count;
                let at = match (*from_end, inside) {
                    (false, _) => (*index).min(count),
                    (true, true) => count - 1 - index,
                    (true, false) => 0,
                };
                Ok(Self { index: at, found: inside })
            }
            Leg::Member(name) if container.is_object => {
                // Keys are in the order of their lengths, then of their bytes.
                let (mut low, mut high) = (0, container.count);
                while low < high {
                    let middle = low.midpoint(high);
                    let key = container.key(middle)?;
                    match key.len().cmp(&name.len()).then_with(|| key.cmp(name)) {
                        std::cmp::Ordering::Less => low = middle + 1,
                        std::cmp::Ordering::Greater => high = middle,
                        std::cmp::Ordering::Equal => return Ok(Self { index: middle, found: true }),
                    }
                }
                Ok(Self { index: low, found: false })
            }
            Leg::Cell { .. } | Leg::Member(_) => Err(NOWHERE),
        }
    }
}

const NOWHERE: Malformed = Malformed("a JSON difference is of another document: its path leads nowhere");

struct Writer {
    out: Vec<u8>,
    most: usize,
}

/// One place in the new lists of a container.
#[derive(Clone, Copy)]
enum Item {
    /// The part of the old one.
    Old(usize),
    /// The part of the old one that the path goes on in.
    Within(usize),
    New,
}

/// Bytes before the lists: the count and the size.
const HEAD: usize = 8;
/// A key's offset and length.
const KEY_ENTRY: usize = 6;
/// A value's type and offset.
const VALUE_ENTRY: usize = 5;

impl Writer {
    /// Appends what becomes of a part along a path, and returns its type.
    fn along(&mut self, part: Part<'_>, legs: &[Leg<'_>], change: Change<'_>) -> Result<u8, Malformed> {
        let (leg, rest) = legs.split_first().ok_or(NOWHERE)?;
        if !kind::is_container(part.kind) {
            return Err(NOWHERE);
        }
        let old = Container::read(part.kind, part.bytes)?;
        let place = Place::find(&old, leg)?;
        let (removed, new) = match change {
            _ if !rest.is_empty() => (1, Some(Item::Within(place.index))),
            Change::Replace(_) => (1, Some(Item::New)),
            Change::Insert(_) => (0, Some(Item::New)),
            Change::Remove => (1, None),
        };
        // An array takes an inserted value wherever it is; an object does not have a key twice.
        let fits = if removed == 1 { place.found } else { !old.is_object || !place.found };
        if !fits {
            return Err(NOWHERE);
        }
        let items = (0..place.index)
            .map(Item::Old)
            .chain(new)
            .chain((place.index + removed..old.count).map(Item::Old));
        let count = old.count - removed + usize::from(new.is_some());
        self.container(&old, items, count, (leg, rest), change)?;
        Ok(if old.is_object { kind::LARGE_OBJECT } else { kind::LARGE_ARRAY })
    }

    fn container(
        &mut self,
        old: &Container<'_>,
        items: impl Iterator<Item = Item> + Clone,
        count: usize,
        (leg, rest): (&Leg<'_>, &[Leg<'_>]),
        change: Change<'_>,
    ) -> Result<(), Malformed> {
        let start = self.out.len();
        let keys = if old.is_object { KEY_ENTRY } else { 0 };
        self.grow(HEAD + count * (keys + VALUE_ENTRY))?;
        if old.is_object {
            for (at, item) in items.clone().enumerate() {
                let key = match (item, leg) {
                    (Item::Old(index) | Item::Within(index), _) => old.key(index)?,
                    (Item::New, Leg::Member(name)) => name,
                    (Item::New, Leg::Cell { .. }) => return Err(NOWHERE),
                };
                let length = u16::try_from(key.len()).map_err(|_| Malformed("a JSON key is too long"))?;
                let entry = start + HEAD + at * KEY_ENTRY;
                self.put(entry, &self.offset(start)?);
                self.put(entry + 4, &length.to_le_bytes());
                self.append(key)?;
            }
        }
        for (at, item) in items.enumerate() {
            let entry = start + HEAD + count * keys + at * VALUE_ENTRY;
            match (item, change) {
                (Item::Within(index), _) => {
                    let (kind, bytes) = old.element(index)?;
                    let offset = self.offset(start)?;
                    let kind = self.along(Part::new(kind, bytes)?, rest, change)?;
                    self.put(entry, &[kind]);
                    self.put(entry + 1, &offset);
                }
                (Item::Old(index), _) => {
                    let (kind, bytes) = old.element(index)?;
                    self.part(start, entry, Part::new(kind, bytes)?)?;
                }
                (Item::New, Change::Replace(part) | Change::Insert(part)) => self.part(start, entry, part)?,
                (Item::New, Change::Remove) => return Err(NOWHERE),
            }
        }
        let size = self.offset(start)?;
        self.put(start, &u32::try_from(count).map_err(|_| OUTSIDE)?.to_le_bytes());
        self.put(start + 4, &size);
        Ok(())
    }

    fn part(&mut self, start: usize, entry: usize, part: Part<'_>) -> Result<(), Malformed> {
        self.put(entry, &[part.kind]);
        if part.is_inline() {
            self.put(entry + 1, part.bytes);
            return Ok(());
        }
        self.put(entry + 1, &self.offset(start)?);
        self.append(part.bytes)
    }

    /// How far behind the container's start the end is.
    fn offset(&self, start: usize) -> Result<[u8; 4], Malformed> {
        let offset = u32::try_from(self.out.len() - start).map_err(|_| OUTSIDE)?;
        Ok(offset.to_le_bytes())
    }

    /// Writes into the lists, whose room was made before.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(room) = self.out.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.bounded(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Result<(), Malformed> {
        self.bounded(by)?;
        self.out.resize(self.out.len() + by, 0);
        Ok(())
    }

    fn bounded(&self, more: usize) -> Result<(), Malformed> {
        let most = self.most;
        let fits = self.out.len().checked_add(more).is_some_and(|length| length <= most);
        if fits { Ok(()) } else { Err(Malformed("a JSON value is larger than its bytes allow")) }
    }
}
