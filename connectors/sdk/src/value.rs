//! Values of a row, borrowed where they lie, and the one way to read a row.

use crate::decimal::Decimal;
use crate::error::Result;
use crate::temporal::{Date, DateTime, Time};

/// One column's value. It borrows from the packet or message it came in; where
/// a conversion was needed, from the reader's scratch buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A signed integer of any width.
    Int(i64),
    /// An unsigned integer of any width.
    UInt(u64),
    /// FLOAT, bit for bit.
    Float(f32),
    /// DOUBLE, bit for bit.
    Double(f64),
    /// DECIMAL.
    Decimal(Decimal),
    /// BIT(n): the bits as a number.
    Bit(u64),
    /// CHAR, VARCHAR, TEXT in UTF-8; at the sink also whatever travelled as text.
    Text(&'a str),
    /// BINARY (padded to its length), VARBINARY, BLOB.
    Bytes(&'a [u8]),
    /// ENUM by index; 0 is MySQL's error value, shown as ''.
    Enum(u16),
    /// SET by bits, the lowest for the first member.
    Set(u64),
    /// DATE.
    Date(Date),
    /// TIME.
    Time(Time),
    /// DATETIME, as the wall clock shows it.
    DateTime(DateTime),
    /// TIMESTAMP, in UTC.
    Timestamp(DateTime),
    /// YEAR: 0, or 1901 to 2155.
    Year(u16),
    /// JSON as MySQL prints it, with marks for the kinds that its text does not tell: [`crate::json`].
    Json(&'a str),
    /// A spatial value: its SRID, and the well-known binary.
    Geometry {
        /// The spatial reference system; 0 is the flat plane.
        srid: u32,
        /// Well-known binary (OGC), little-endian as MySQL stores it.
        wkb: &'a [u8],
    },
    /// VECTOR: little-endian four-byte floats.
    Vector(&'a [u8]),
}

impl Value<'_> {
    /// Where it stands among the numbers of its column, if that is one of integers: the lowest first. (A column's
    /// are all signed, or all unsigned.)
    pub fn rank(&self) -> Option<u64> {
        match self {
            Self::Int(number) => Some(number.cast_unsigned() ^ (1 << 63)),
            Self::UInt(number) => Some(*number),
            _ => None,
        }
    }
}

/// A row that can be read column by column without building a tree of values.
pub trait Row {
    /// Calls `f` with the index and value of each column, in the table's order.
    /// Values live only for the call.
    ///
    /// # Errors
    /// What the row's own bytes get wrong, or what `f` returns.
    fn visit<F>(&self, f: F) -> Result<()>
    where
        F: FnMut(usize, Value<'_>) -> Result<()>;

    /// The [`Value::rank`] of a column's value; `None` where it is NULL, or the column is of another kind.
    ///
    /// # Errors
    /// As [`Self::visit`]; columns behind it need not be read.
    fn rank(&self, column: usize) -> Result<Option<u64>> {
        let mut found = None;
        self.visit(|index, value| {
            if index == column {
                found = value.rank();
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// A value that owns its bytes: for keys that outlive a row, and for tests.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValue {
    /// Everything that needs no bytes of its own.
    Plain(Value<'static>),
    /// [`Value::Text`].
    Text(String),
    /// [`Value::Json`].
    Json(String),
    /// [`Value::Bytes`].
    Bytes(Vec<u8>),
    /// [`Value::Geometry`].
    Geometry(u32, Vec<u8>),
    /// [`Value::Vector`].
    Vector(Vec<u8>),
}

impl OwnedValue {
    /// The value, borrowed.
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Self::Plain(value) => *value,
            Self::Text(text) => Value::Text(text),
            Self::Json(text) => Value::Json(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Geometry(srid, wkb) => Value::Geometry { srid: *srid, wkb },
            Self::Vector(bytes) => Value::Vector(bytes),
        }
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Json(text) => Self::Json(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_owned()),
            Value::Geometry { srid, wkb } => Self::Geometry(srid, wkb.to_owned()),
            Value::Vector(bytes) => Self::Vector(bytes.to_owned()),
            Value::Null => Self::Plain(Value::Null),
            Value::Int(v) => Self::Plain(Value::Int(v)),
            Value::UInt(v) => Self::Plain(Value::UInt(v)),
            Value::Float(v) => Self::Plain(Value::Float(v)),
            Value::Double(v) => Self::Plain(Value::Double(v)),
            Value::Decimal(v) => Self::Plain(Value::Decimal(v)),
            Value::Bit(v) => Self::Plain(Value::Bit(v)),
            Value::Enum(v) => Self::Plain(Value::Enum(v)),
            Value::Set(v) => Self::Plain(Value::Set(v)),
            Value::Date(v) => Self::Plain(Value::Date(v)),
            Value::Time(v) => Self::Plain(Value::Time(v)),
            Value::DateTime(v) => Self::Plain(Value::DateTime(v)),
            Value::Timestamp(v) => Self::Plain(Value::Timestamp(v)),
            Value::Year(v) => Self::Plain(Value::Year(v)),
        }
    }
}

/// A row that owns its values.
pub type OwnedRow = Vec<OwnedValue>;

impl Row for OwnedRow {
    fn visit<F>(&self, mut f: F) -> Result<()>
    where
        F: FnMut(usize, Value<'_>) -> Result<()>,
    {
        self.iter().enumerate().try_for_each(|(index, value)| f(index, value.as_value()))
    }
}

impl<R: Row> Row for &R {
    fn visit<F>(&self, f: F) -> Result<()>
    where
        F: FnMut(usize, Value<'_>) -> Result<()>,
    {
        (**self).visit(f)
    }

    fn rank(&self, column: usize) -> Result<Option<u64>> {
        (**self).rank(column)
    }
}
