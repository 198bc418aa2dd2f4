//! From a TABLE_MAP to a table: names, exact types, key, and how its rows are read.

use std::sync::Arc;

use cdc_sdk::column::{BlobSize, Extra, GeometryKind, Width};
use cdc_sdk::table::KeyOn;
use cdc_sdk::{Column, ColumnType, Error, Key, KeyKind, KeyPart, Kind, Result, Table};

use super::collations::{BINARY, Collation, Collations};
use super::event::metadata::high_bit;
use super::event::table_map::{TableMap, WireColumn, WireType};
use crate::decode::{Charset, Codec, Extent, Layout};
use crate::shape::ShapeId;

/// A table as its rows are read now.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Tells it from every other of this process.
    pub id: ShapeId,
    /// The table.
    pub table: Arc<Table>,
    /// How each column is read.
    pub layouts: Vec<Layout>,
}

/// A table from the log alone, and how its columns are read.
pub(crate) struct Drawn {
    pub table: Table,
    pub layouts: Vec<Layout>,
}

/// Where a column takes its bytes, whatever its values mean.
pub(crate) fn extent(kind: WireType) -> Extent {
    match kind {
        WireType::Integer { width } | WireType::Enum { width } | WireType::Set { width } => {
            Extent::Fixed(usize::from(width))
        }
        WireType::Float => Extent::Fixed(4),
        WireType::Double => Extent::Fixed(8),
        WireType::Decimal { precision, scale } => {
            Extent::Fixed(crate::decode::decimal_size(precision, scale))
        }
        WireType::Bit { bits } => Extent::Fixed(usize::from(bits.div_ceil(8))),
        WireType::Varchar { bytes } | WireType::Char { bytes } => {
            Extent::Prefixed(if bytes > 255 { 2 } else { 1 })
        }
        WireType::Date => Extent::Fixed(3),
        WireType::Year => Extent::Fixed(1),
        WireType::Time { fsp } => Extent::Fixed(3 + crate::decode::fraction_len(fsp)),
        WireType::Datetime { fsp } => Extent::Fixed(5 + crate::decode::fraction_len(fsp)),
        WireType::Timestamp { fsp } => Extent::Fixed(4 + crate::decode::fraction_len(fsp)),
        WireType::OldTemporal { bytes } => Extent::Fixed(usize::from(bytes)),
        WireType::Blob { prefix }
        | WireType::Json { prefix }
        | WireType::Geometry { prefix }
        | WireType::Vector { prefix } => Extent::Prefixed(usize::from(prefix)),
    }
}

/// Draws the table.
///
/// # Errors
/// [`Kind::RowMismatch`] where the log lacks names; [`Kind::TypeUnsupported`] for a
/// type or character set that cannot be read, naming table and column.
pub(crate) fn draw(map: &TableMap, collations: &Collations, mark_json: bool) -> Result<Drawn> {
    if map.metadata.names.len() != map.columns.len() {
        return Err(nameless(map));
    }
    let mut artist = Artist { map, collations, mark_json, seen: Seen::default() };
    let mut table = Table {
        version: Table::VERSION,
        chosen_key: None,
        name: map.name.clone(),
        columns: Vec::with_capacity(map.columns.len()),
        keys: primary_key(map)?.into_iter().collect(),
        collation: None,
        comment: String::new(),
    };
    let mut layouts = Vec::with_capacity(map.columns.len());
    for (index, (wire, name)) in map.columns.iter().zip(&map.metadata.names).enumerate() {
        let drawn = artist.column(*wire).map_err(|why| why.of(map, name))?;
        let visible = map.metadata.visible.as_ref().is_none_or(|bits| high_bit(bits, index));
        table.columns.push(Column {
            name: name.clone(),
            ty: drawn.ty,
            nullable: wire.nullable,
            charset: drawn.collation.map(|c| c.charset.clone()),
            collation: drawn.collation.map(|c| c.name.clone()),
            extra: Extra { invisible: !visible, ..Extra::default() },
        });
        layouts.push(Layout { extent: extent(wire.kind), codec: drawn.codec });
    }
    Ok(Drawn { table, layouts })
}

fn nameless(map: &TableMap) -> Error {
    Error::new(Kind::RowMismatch, format!("the log does not name the columns of {}", map.name))
        .detail("its rows were written with binlog_row_metadata = MINIMAL")
        .hint("SET GLOBAL binlog_row_metadata = FULL; then take a new snapshot, since what is in the log already stays unnamed")
}

fn primary_key(map: &TableMap) -> Result<Option<Key>> {
    let mut parts = Vec::new();
    for &(column, prefix) in &map.metadata.primary {
        if column >= map.columns.len() {
            return Err(Error::new(
                Kind::BinlogCorrupt,
                format!("the key of {} has no such column", map.name),
            ));
        }
        let prefix = Some(prefix).filter(|p| *p > 0);
        parts.push(KeyPart { on: KeyOn::Column(column), prefix, descending: false });
    }
    let key = Key::new(KeyKind::Primary, "PRIMARY", parts);
    Ok(Some(key).filter(|k| !k.parts.is_empty()))
}

/// Counts the columns of each type, since the metadata list them by type.
#[derive(Default)]
struct Seen {
    numeric: usize,
    text: usize,
    member: usize,
    enums: usize,
    sets: usize,
    geometries: usize,
    vectors: usize,
}

/// The count before this one.
fn next(counter: &mut usize) -> usize {
    *counter += 1;
    *counter - 1
}

struct Artist<'a> {
    map: &'a TableMap,
    collations: &'a Collations,
    mark_json: bool,
    seen: Seen,
}

struct DrawnColumn<'a> {
    ty: ColumnType,
    codec: Codec,
    collation: Option<&'a Collation>,
}

/// Why a column cannot be read.
enum Unreadable {
    Charset(String),
    Type(&'static str),
    Corrupt(&'static str),
}

impl Unreadable {
    fn of(self, map: &TableMap, column: &str) -> Error {
        let place = format!("column {column} of {}", map.name);
        match self {
            Self::Charset(name) => Error::new(
                Kind::TypeUnsupported,
                format!("{place} has the character set {name}, which is not supported yet"),
            )
            .hint(format!(
                "leave the table out (capture.exclude), or: ALTER TABLE {} CONVERT TO CHARACTER SET utf8mb4",
                map.name.sql()
            )),
            Self::Type(what) => Error::new(Kind::TypeUnsupported, format!("{place} is {what}"))
                .hint(format!("ALTER TABLE {} FORCE; then take a new snapshot of it", map.name.sql())),
            Self::Corrupt(what) => Error::new(Kind::BinlogCorrupt, format!("{place}: {what}")),
        }
    }
}

impl<'a> Artist<'a> {
    fn column(&mut self, wire: WireColumn) -> Result<DrawnColumn<'a>, Unreadable> {
        let plain = |ty, codec| Ok(DrawnColumn { ty, codec, collation: None });
        let unsigned = wire.kind.is_numeric() && self.unsigned();
        let text = if wire.kind.is_text() { Some(self.text_collation()?) } else { None };
        match wire.kind {
            WireType::Integer { width } => integer(width, unsigned),
            WireType::Float => plain(ColumnType::Float { unsigned }, Codec::Float),
            WireType::Double => plain(ColumnType::Double { unsigned }, Codec::Double),
            WireType::Decimal { precision, scale } => {
                plain(ColumnType::Decimal { precision, scale, unsigned }, Codec::Decimal { precision, scale })
            }
            WireType::Bit { bits } => plain(ColumnType::Bit { bits }, Codec::Bit),
            WireType::Varchar { bytes } => text_column(text.flatten(), bytes, false),
            WireType::Char { bytes } => text_column(text.flatten(), bytes, true),
            WireType::Blob { prefix } => blob(text.flatten(), prefix),
            WireType::Enum { .. } => self.enumeration(),
            WireType::Set { .. } => self.set(),
            WireType::Date => plain(ColumnType::Date, Codec::Date),
            WireType::Time { fsp } => plain(ColumnType::Time { fsp }, Codec::Time { fsp }),
            WireType::Datetime { fsp } => plain(ColumnType::Datetime { fsp }, Codec::Datetime { fsp }),
            WireType::Timestamp { fsp } => plain(ColumnType::Timestamp { fsp }, Codec::Timestamp { fsp }),
            WireType::Year => plain(ColumnType::Year, Codec::Year),
            WireType::Json { .. } => plain(ColumnType::Json, Codec::Json { marked: self.mark_json }),
            WireType::Geometry { .. } => {
                plain(ColumnType::Geometry { kind: self.geometry()? }, Codec::Geometry)
            }
            WireType::Vector { .. } => {
                let dimension = self.map.metadata.dimensions.get(next(&mut self.seen.vectors));
                let dimension = dimension.and_then(|d| u32::try_from(*d).ok());
                let dimension = dimension.ok_or(Unreadable::Corrupt("its dimension is not told"))?;
                plain(ColumnType::Vector { dimension }, Codec::Vector)
            }
            WireType::OldTemporal { .. } => Err(Unreadable::Type(
                "in the format of times from before MySQL 5.6.4, which is not supported",
            )),
        }
    }

    fn unsigned(&mut self) -> bool {
        let index = next(&mut self.seen.numeric);
        self.map.metadata.unsigned.as_ref().is_some_and(|bits| high_bit(bits, index))
    }

    /// The collation of a text column; `None` for bytes.
    fn text_collation(&mut self) -> Result<Option<&'a Collation>, Unreadable> {
        let id = self.map.metadata.charsets.get(next(&mut self.seen.text));
        self.collation(id)
    }

    fn collation(&self, id: Option<u64>) -> Result<Option<&'a Collation>, Unreadable> {
        let id = id.and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or(Unreadable::Corrupt("its character set is not told"))?;
        if id == BINARY {
            return Ok(None);
        }
        let known = self.collations.get(id);
        known
            .map(Some)
            .ok_or_else(|| Unreadable::Charset(format!("of collation {id}, which the server does not list")))
    }

    fn members(
        &mut self,
        lists: &'a [Vec<Vec<u8>>],
        index: usize,
    ) -> Result<(Vec<String>, Option<&'a Collation>), Unreadable> {
        let collation = self.map.metadata.member_charsets.get(next(&mut self.seen.member));
        let collation = self.collation(collation)?;
        let charset = collation.map_or(Ok(Charset::Utf8), charset)?;
        let list = lists.get(index).ok_or(Unreadable::Corrupt("its members are not told"))?;
        let mut scratch = Vec::new();
        let mut members = Vec::with_capacity(list.len());
        for member in list {
            let text = charset.decode(member, &mut scratch).map_err(|why| Unreadable::Corrupt(why.0))?;
            members.push(text.to_owned());
        }
        Ok((members, collation))
    }

    fn enumeration(&mut self) -> Result<DrawnColumn<'a>, Unreadable> {
        let index = next(&mut self.seen.enums);
        let (members, collation) = self.members(&self.map.metadata.enums, index)?;
        Ok(DrawnColumn { ty: ColumnType::Enum { members }, codec: Codec::Enum, collation })
    }

    fn set(&mut self) -> Result<DrawnColumn<'a>, Unreadable> {
        let index = next(&mut self.seen.sets);
        let (members, collation) = self.members(&self.map.metadata.sets, index)?;
        Ok(DrawnColumn { ty: ColumnType::Set { members }, codec: Codec::Set, collation })
    }

    fn geometry(&mut self) -> Result<GeometryKind, Unreadable> {
        let kind = self.map.metadata.geometries.get(next(&mut self.seen.geometries));
        match kind {
            Some(0) => Ok(GeometryKind::Geometry),
            Some(1) => Ok(GeometryKind::Point),
            Some(2) => Ok(GeometryKind::LineString),
            Some(3) => Ok(GeometryKind::Polygon),
            Some(4) => Ok(GeometryKind::MultiPoint),
            Some(5) => Ok(GeometryKind::MultiLineString),
            Some(6) => Ok(GeometryKind::MultiPolygon),
            Some(7) => Ok(GeometryKind::GeometryCollection),
            Some(_) | None => Err(Unreadable::Corrupt("its kind of geometry is not told")),
        }
    }
}

fn charset(collation: &Collation) -> Result<Charset, Unreadable> {
    Charset::from_name(&collation.charset).ok_or_else(|| Unreadable::Charset(collation.charset.clone()))
}

fn integer<'a>(bytes: u8, unsigned: bool) -> Result<DrawnColumn<'a>, Unreadable> {
    let width = match bytes {
        1 => Width::Tiny,
        2 => Width::Small,
        3 => Width::Medium,
        4 => Width::Int,
        8 => Width::Big,
        _ => return Err(Unreadable::Corrupt("an integer has no such width")),
    };
    let bytes = usize::from(bytes);
    let codec = if unsigned { Codec::UInt { width: bytes } } else { Codec::Int { width: bytes } };
    Ok(DrawnColumn { ty: ColumnType::Integer { width, unsigned }, codec, collation: None })
}

/// VARCHAR and CHAR, or without a collation VARBINARY and BINARY.
fn text_column(
    collation: Option<&Collation>,
    bytes: u32,
    fixed: bool,
) -> Result<DrawnColumn<'_>, Unreadable> {
    let Some(collation) = collation else {
        let padded = Codec::Padded { length: bytes as usize };
        let (ty, codec) = if fixed {
            (ColumnType::Binary { length: bytes }, padded)
        } else {
            (ColumnType::Varbinary { length: bytes }, Codec::Bytes)
        };
        return Ok(DrawnColumn { ty, codec, collation: None });
    };
    let length = bytes / u32::from(collation.maxlen.max(1));
    let ty = if fixed { ColumnType::Char { length } } else { ColumnType::Varchar { length } };
    Ok(DrawnColumn { ty, codec: Codec::Text { charset: charset(collation)? }, collation: Some(collation) })
}

fn blob(collation: Option<&Collation>, prefix: u8) -> Result<DrawnColumn<'_>, Unreadable> {
    let size = match prefix {
        1 => BlobSize::Tiny,
        2 => BlobSize::Normal,
        3 => BlobSize::Medium,
        _ => BlobSize::Long,
    };
    let Some(collation) = collation else {
        return Ok(DrawnColumn { ty: ColumnType::Blob { size }, codec: Codec::Bytes, collation: None });
    };
    let codec = Codec::Text { charset: charset(collation)? };
    Ok(DrawnColumn { ty: ColumnType::Text { size }, codec, collation: Some(collation) })
}

#[cfg(test)]
mod tests;
