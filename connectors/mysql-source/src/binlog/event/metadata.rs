//! What `binlog_row_metadata = FULL` adds to a TABLE_MAP: signs, character sets,
//! names, members and keys (`rows_event.h`, "Table_map_event optional metadata").

use crate::binlog::reader::{Malformed, Reader};

/// The fields as they come: lists over the columns of the type that each is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Over numeric columns: the highest bit of the first byte is the first.
    pub unsigned: Option<Vec<u8>>,
    /// Over text columns.
    pub charsets: Charsets,
    /// Over ENUM and SET columns.
    pub member_charsets: Charsets,
    /// Over all columns; empty unless the metadata are FULL.
    pub names: Vec<String>,
    /// Over ENUM columns, in the column's character set.
    pub enums: Vec<Vec<Vec<u8>>>,
    /// Over SET columns, in the column's character set.
    pub sets: Vec<Vec<Vec<u8>>>,
    /// Over GEOMETRY columns.
    pub geometries: Vec<u64>,
    /// The primary key: column, and length of the prefix or 0.
    pub primary: Vec<(usize, u32)>,
    /// Over all columns, as `unsigned`: a set bit is a visible column.
    pub visible: Option<Vec<u8>>,
    /// Over VECTOR columns.
    pub dimensions: Vec<u64>,
}

/// Collation ids of columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Charsets {
    /// Not told.
    #[default]
    Unknown,
    /// Most have the first; the others are listed by index.
    Default(u64, Vec<(u64, u64)>),
    /// Each has its own.
    Each(Vec<u64>),
}

impl Charsets {
    /// The collation of the column that is the `index`-th of its type.
    pub fn get(&self, index: usize) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Each(all) => all.get(index).copied(),
            Self::Default(usual, others) => {
                let index = index as u64;
                Some(others.iter().find(|(at, _)| *at == index).map_or(*usual, |(_, id)| *id))
            }
        }
    }
}

impl Metadata {
    /// Reads all fields. Those that are not known are left out: they cannot change
    /// how a row is laid out, and the server adds some with new versions.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut metadata = Self::default();
        while !reader.is_empty() {
            let field = reader.u8()?;
            metadata.take(field, Reader::new(reader.packed_bytes()?))?;
        }
        Ok(metadata)
    }

    fn take(&mut self, field: u8, mut value: Reader<'_>) -> Result<(), Malformed> {
        match field {
            1 => self.unsigned = Some(value.rest().to_vec()),
            2 => self.charsets = default_charset(&mut value)?,
            3 => self.charsets = Charsets::Each(integers(&mut value)?),
            4 => self.names = names(&mut value)?,
            5 => self.sets = members(&mut value)?,
            6 => self.enums = members(&mut value)?,
            7 => self.geometries = integers(&mut value)?,
            8 => self.primary = whole_key(&mut value)?,
            9 => self.primary = prefixed_key(&mut value)?,
            10 => self.member_charsets = default_charset(&mut value)?,
            11 => self.member_charsets = Charsets::Each(integers(&mut value)?),
            12 => self.visible = Some(value.rest().to_vec()),
            13 => self.dimensions = integers(&mut value)?,
            _ => {}
        }
        Ok(())
    }
}

/// Whether a bit is set, the highest bit of a byte first.
pub(crate) fn high_bit(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1)
}

fn integers(reader: &mut Reader<'_>) -> Result<Vec<u64>, Malformed> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        all.push(reader.packed()?);
    }
    Ok(all)
}

fn default_charset(reader: &mut Reader<'_>) -> Result<Charsets, Malformed> {
    let usual = reader.packed()?;
    let mut others = Vec::new();
    while !reader.is_empty() {
        others.push((reader.packed()?, reader.packed()?));
    }
    Ok(Charsets::Default(usual, others))
}

fn names(reader: &mut Reader<'_>) -> Result<Vec<String>, Malformed> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        let name = reader.packed_bytes()?.to_vec();
        all.push(String::from_utf8(name).map_err(|_| Malformed("a column name is not UTF-8"))?);
    }
    Ok(all)
}

fn members(reader: &mut Reader<'_>) -> Result<Vec<Vec<Vec<u8>>>, Malformed> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        let count = reader.packed()?;
        let mut column = Vec::new();
        for _ in 0..count {
            column.push(reader.packed_bytes()?.to_vec());
        }
        all.push(column);
    }
    Ok(all)
}

fn whole_key(reader: &mut Reader<'_>) -> Result<Vec<(usize, u32)>, Malformed> {
    let mut parts = Vec::new();
    while !reader.is_empty() {
        parts.push((reader.packed_len()?, 0));
    }
    Ok(parts)
}

fn prefixed_key(reader: &mut Reader<'_>) -> Result<Vec<(usize, u32)>, Malformed> {
    let mut parts = Vec::new();
    while !reader.is_empty() {
        let column = reader.packed_len()?;
        let prefix = u32::try_from(reader.packed()?).map_err(|_| Malformed("a key's prefix is too long"))?;
        parts.push((column, prefix));
    }
    Ok(parts)
}
