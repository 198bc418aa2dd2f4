//! TABLE_MAP: the shape of the table that the next rows are of.

use cdc_sdk::TableName;

use super::metadata::Metadata;
use super::rows::COLUMNS_MAX;
use crate::binlog::reader::{Malformed, Reader};

/// A table's shape as the log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableMap {
    /// Its name.
    pub name: TableName,
    /// Its columns in order.
    pub columns: Vec<WireColumn>,
    /// What `binlog_row_metadata` adds.
    pub metadata: Metadata,
}

/// A column's type as the log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireColumn {
    /// The type, ENUM and SET told apart from CHAR.
    pub kind: WireType,
    /// Whether it takes NULL.
    pub nullable: bool,
}

/// The types of columns with their parameters (`field_types.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireType {
    /// TINYINT to BIGINT: 1, 2, 3, 4 or 8 bytes.
    Integer {
        width: u8,
    },
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Bit {
        bits: u8,
    },
    /// VARCHAR and VARBINARY of that many bytes at most.
    Varchar {
        bytes: u32,
    },
    /// CHAR and BINARY of that many bytes at most.
    Char {
        bytes: u32,
    },
    /// TEXT and BLOB with 1 to 4 bytes of length.
    Blob {
        prefix: u8,
    },
    Enum {
        width: u8,
    },
    Set {
        width: u8,
    },
    Date,
    Time {
        fsp: u8,
    },
    Datetime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    Year,
    Json {
        prefix: u8,
    },
    Geometry {
        prefix: u8,
    },
    Vector {
        prefix: u8,
    },
    /// TIME, DATETIME or TIMESTAMP of a table made before MySQL 5.6.4.
    OldTemporal {
        bytes: u8,
    },
}

impl TableMap {
    /// The table's number, and the rest of the body, which alone decides the shape.
    pub fn split(body: &[u8]) -> Result<(u64, &[u8]), Malformed> {
        let mut reader = Reader::new(body);
        let id = reader.uint(6)?;
        reader.u16()?;
        Ok((id, reader.rest()))
    }

    /// Reads what [`TableMap::split`] left.
    pub fn read(rest: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(rest);
        let database = name(&mut reader)?;
        let table = name(&mut reader)?;
        let count = reader.packed_len()?;
        if count > COLUMNS_MAX {
            return Err(Malformed("it has more columns than a table can have"));
        }
        let types = reader.take(count)?;
        let parameters = reader.packed_bytes()?;
        let nullable = reader.take(count.div_ceil(8))?;
        let mut parameters = Reader::new(parameters);
        let mut columns = Vec::with_capacity(count);
        for (index, code) in types.iter().enumerate() {
            let kind = WireType::read(*code, &mut parameters)?;
            columns.push(WireColumn { kind, nullable: bit(nullable, index) });
        }
        let metadata = Metadata::read(&mut reader)?;
        Ok(Self { name: TableName::new(database, table), columns, metadata })
    }
}

impl WireType {
    /// Reads a type's parameters (`rows_event.h`, "Table_map_event column types").
    fn read(code: u8, parameters: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match code {
            1 => Self::Integer { width: 1 },
            2 => Self::Integer { width: 2 },
            3 => Self::Integer { width: 4 },
            8 => Self::Integer { width: 8 },
            9 => Self::Integer { width: 3 },
            4 => sized(parameters, 4, Self::Float)?,
            5 => sized(parameters, 8, Self::Double)?,
            7 => Self::OldTemporal { bytes: 4 },
            11 => Self::OldTemporal { bytes: 3 },
            12 => Self::OldTemporal { bytes: 8 },
            10 | 14 => Self::Date,
            13 => Self::Year,
            15 | 253 => Self::Varchar { bytes: u32::from(parameters.u16()?) },
            16 => {
                let [rest, bytes] = parameters.array()?;
                Self::Bit { bits: within(u32::from(bytes) * 8 + u32::from(rest), 64)? }
            }
            17 => Self::Timestamp { fsp: fsp(parameters)? },
            18 => Self::Datetime { fsp: fsp(parameters)? },
            19 => Self::Time { fsp: fsp(parameters)? },
            242 => Self::Vector { prefix: prefix(parameters)? },
            245 => Self::Json { prefix: prefix(parameters)? },
            246 => decimal(parameters)?,
            249..=252 => Self::Blob { prefix: prefix(parameters)? },
            247 | 248 | 254 => string(parameters)?,
            255 => Self::Geometry { prefix: prefix(parameters)? },
            _ => return Err(Malformed("a column has an unknown type")),
        })
    }

    /// Whether it is JSON.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json { .. })
    }

    /// Whether the SIGNEDNESS bits have one for it.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer { .. } | Self::Float | Self::Double | Self::Decimal { .. } | Self::Year)
    }

    /// Whether the character sets of text columns have one for it. VECTOR counts.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Varchar { .. } | Self::Char { .. } | Self::Blob { .. } | Self::Vector { .. })
    }
}

fn name(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let length = usize::from(reader.u8()?);
    let bytes = reader.take(length)?;
    if reader.u8()? != 0 {
        return Err(Malformed("a name does not end with NUL"));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed("a name is not UTF-8"))
}

/// Whether a bit is set, the lowest bit of a byte first.
pub(crate) fn bit(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

fn sized(parameters: &mut Reader<'_>, size: u8, kind: WireType) -> Result<WireType, Malformed> {
    if parameters.u8()? == size { Ok(kind) } else { Err(Malformed("a FLOAT or DOUBLE has another size")) }
}

fn within(value: u32, max: u8) -> Result<u8, Malformed> {
    let small = u8::try_from(value).ok().filter(|v| *v <= max && *v > 0);
    small.ok_or(Malformed("a column's parameter is out of range"))
}

fn fsp(parameters: &mut Reader<'_>) -> Result<u8, Malformed> {
    let digits = parameters.u8()?;
    if digits <= 6 { Ok(digits) } else { Err(Malformed("a time has more than six fractional digits")) }
}

fn prefix(parameters: &mut Reader<'_>) -> Result<u8, Malformed> {
    within(u32::from(parameters.u8()?), 4)
}

fn decimal(parameters: &mut Reader<'_>) -> Result<WireType, Malformed> {
    let [precision, scale] = parameters.array()?;
    if precision == 0 || precision > 65 || scale > 30 || scale > precision {
        return Err(Malformed("a DECIMAL's precision or scale is out of range"));
    }
    Ok(WireType::Decimal { precision, scale })
}

/// CHAR, ENUM and SET share a type. Two bits of a CHAR's length over 255 are
/// hidden in the byte that tells them apart (`Field_string::do_save_field_metadata`).
fn string(parameters: &mut Reader<'_>) -> Result<WireType, Malformed> {
    let [real, length] = parameters.array()?;
    if real & 0x30 != 0x30 {
        let high = u32::from((real & 0x30) ^ 0x30) << 4;
        return Ok(WireType::Char { bytes: high | u32::from(length) });
    }
    match (real, length) {
        (247, 1 | 2) => Ok(WireType::Enum { width: length }),
        (248, 1..=8) => Ok(WireType::Set { width: length }),
        (254 | 253, _) => Ok(WireType::Char { bytes: u32::from(length) }),
        _ => Err(Malformed("a CHAR, ENUM or SET has unknown parameters")),
    }
}
