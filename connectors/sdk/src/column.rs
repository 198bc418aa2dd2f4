//! A column and its MySQL type, exactly as the source declares it.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type with all parameters.
    pub ty: ColumnType,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// MySQL's name of its character set (`utf8mb4`); for text, ENUM and SET only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// MySQL's name of its collation; for text, ENUM and SET only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// What the catalogue knows beside: never needed to decode a row.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// What only the catalogue knows of a column. It shapes the destination's
/// table; it never decides how a row is decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Extra {
    /// The type of a number as the source spells it, where that says more than [`ColumnType::sql`]:
    /// `tinyint(1)`, `float(7,3)`, `int(5) unsigned zerofill`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spelled: Option<String>,
    /// The default as SQL text, ready to stand behind `DEFAULT`: a quoted
    /// literal, a number, `CURRENT_TIMESTAMP(6)` or an expression in parentheses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `CURRENT_TIMESTAMP(n)` behind ON UPDATE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    /// The expression of a generated column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// AUTO_INCREMENT.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_increment: bool,
    /// INVISIBLE (8.0.23 and later).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invisible: bool,
    /// The SRID that a spatial column is restricted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srid: Option<u32>,
    /// Its comment.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Column {
    /// The type as the source spells it.
    pub fn type_sql(&self) -> String {
        self.extra.spelled.clone().unwrap_or_else(|| self.ty.sql())
    }
}

impl Extra {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A generated column's expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generated {
    /// The SQL expression, without the outer parentheses.
    pub expression: String,
    /// STORED, as opposed to VIRTUAL.
    pub stored: bool,
}

/// A column's type (MySQL manual, "Data Types").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ColumnType {
    /// TINYINT to BIGINT.
    Integer {
        /// How many bytes wide.
        width: Width,
        /// UNSIGNED.
        #[serde(default)]
        unsigned: bool,
    },
    /// DECIMAL(precision, scale).
    Decimal {
        /// Digits in all, 1 to 65.
        precision: u8,
        /// Digits behind the point, 0 to 30.
        scale: u8,
        /// UNSIGNED.
        #[serde(default)]
        unsigned: bool,
    },
    /// FLOAT, four bytes.
    Float {
        /// UNSIGNED.
        #[serde(default)]
        unsigned: bool,
    },
    /// DOUBLE, eight bytes.
    Double {
        /// UNSIGNED.
        #[serde(default)]
        unsigned: bool,
    },
    /// BIT(bits), 1 to 64.
    Bit {
        /// How many bits.
        bits: u8,
    },
    /// CHAR(length), in characters.
    Char {
        /// Characters.
        length: u32,
    },
    /// VARCHAR(length), in characters.
    Varchar {
        /// Characters.
        length: u32,
    },
    /// BINARY(length), in bytes.
    Binary {
        /// Bytes.
        length: u32,
    },
    /// VARBINARY(length), in bytes.
    Varbinary {
        /// Bytes.
        length: u32,
    },
    /// TINYTEXT to LONGTEXT.
    Text {
        /// Which of the four.
        size: BlobSize,
    },
    /// TINYBLOB to LONGBLOB.
    Blob {
        /// Which of the four.
        size: BlobSize,
    },
    /// ENUM, its members in order (index 1 first).
    Enum {
        /// The members, in UTF-8.
        members: Vec<String>,
    },
    /// SET, its members in order (lowest bit first).
    Set {
        /// The members, in UTF-8.
        members: Vec<String>,
    },
    /// DATE.
    Date,
    /// TIME(fsp).
    Time {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// DATETIME(fsp).
    Datetime {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// TIMESTAMP(fsp).
    Timestamp {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// YEAR.
    Year,
    /// JSON.
    Json,
    /// GEOMETRY and its kinds.
    Geometry {
        /// Which of them.
        kind: GeometryKind,
    },
    /// VECTOR(dimension) (9.0 and later).
    Vector {
        /// How many four-byte floats at most.
        dimension: u32,
    },
}

/// How wide an integer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Width {
    /// TINYINT, one byte.
    Tiny,
    /// SMALLINT, two bytes.
    Small,
    /// MEDIUMINT, three bytes.
    Medium,
    /// INT, four bytes.
    Int,
    /// BIGINT, eight bytes.
    Big,
}

/// How long a BLOB or TEXT may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobSize {
    /// 2^8 - 1 bytes.
    Tiny,
    /// 2^16 - 1 bytes.
    Normal,
    /// 2^24 - 1 bytes.
    Medium,
    /// 2^32 - 1 bytes.
    Long,
}

/// The kinds of spatial columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeometryKind {
    /// GEOMETRY: any of them.
    Geometry,
    /// POINT.
    Point,
    /// LINESTRING.
    LineString,
    /// POLYGON.
    Polygon,
    /// MULTIPOINT.
    MultiPoint,
    /// MULTILINESTRING.
    MultiLineString,
    /// MULTIPOLYGON.
    MultiPolygon,
    /// GEOMETRYCOLLECTION.
    GeometryCollection,
}

impl ColumnType {
    /// Whether values are text in a character set.
    pub fn is_text(&self) -> bool {
        use ColumnType::{Char, Enum, Set, Text, Varchar};
        matches!(self, Char { .. } | Varchar { .. } | Text { .. } | Enum { .. } | Set { .. })
    }

    /// The type as the server's catalogue shows it, which is in utf8mb3: letters of members that are beyond
    /// that become question marks.
    pub fn as_catalogued(&self) -> Self {
        let shown = |members: &[String]| {
            members.iter().map(|m| m.replace(|letter| letter > '\u{ffff}', "?")).collect::<Vec<_>>()
        };
        match self {
            Self::Enum { members } => Self::Enum { members: shown(members) },
            Self::Set { members } => Self::Set { members: shown(members) },
            other => other.clone(),
        }
    }

    /// The type as SQL declares it, without character set: `decimal(10,2) unsigned`.
    pub fn sql(&self) -> String {
        match self {
            Self::Integer { width, unsigned } => unsigned_suffix(width.sql(), *unsigned),
            Self::Decimal { precision, scale, unsigned } => {
                unsigned_suffix(&format!("decimal({precision},{scale})"), *unsigned)
            }
            Self::Float { unsigned } => unsigned_suffix("float", *unsigned),
            Self::Double { unsigned } => unsigned_suffix("double", *unsigned),
            Self::Bit { bits } => format!("bit({bits})"),
            Self::Char { length } => format!("char({length})"),
            Self::Varchar { length } => format!("varchar({length})"),
            Self::Binary { length } => format!("binary({length})"),
            Self::Varbinary { length } => format!("varbinary({length})"),
            Self::Text { size } => format!("{}text", size.sql()),
            Self::Blob { size } => format!("{}blob", size.sql()),
            Self::Enum { members } => format!("enum({})", literals(members)),
            Self::Set { members } => format!("set({})", literals(members)),
            Self::Date => "date".into(),
            Self::Time { fsp } => with_fsp("time", *fsp),
            Self::Datetime { fsp } => with_fsp("datetime", *fsp),
            Self::Timestamp { fsp } => with_fsp("timestamp", *fsp),
            Self::Year => "year".into(),
            Self::Json => "json".into(),
            Self::Geometry { kind } => kind.sql().into(),
            Self::Vector { dimension } => format!("vector({dimension})"),
        }
    }
}

impl Width {
    /// The type's name in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Tiny => "tinyint",
            Self::Small => "smallint",
            Self::Medium => "mediumint",
            Self::Int => "int",
            Self::Big => "bigint",
        }
    }

    /// The least and the greatest value.
    pub fn range(self, unsigned: bool) -> RangeInclusive<i128> {
        let bits = match self {
            Self::Tiny => 8,
            Self::Small => 16,
            Self::Medium => 24,
            Self::Int => 32,
            Self::Big => 64,
        };
        if unsigned { 0..=(1 << bits) - 1 } else { -(1 << (bits - 1))..=(1 << (bits - 1)) - 1 }
    }
}

impl BlobSize {
    /// The prefix of the type's name in SQL: `tiny`, nothing, `medium`, `long`.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Normal => "",
            Self::Medium => "medium",
            Self::Long => "long",
        }
    }
}

impl GeometryKind {
    /// The type's name in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Geometry => "geometry",
            Self::Point => "point",
            Self::LineString => "linestring",
            Self::Polygon => "polygon",
            Self::MultiPoint => "multipoint",
            Self::MultiLineString => "multilinestring",
            Self::MultiPolygon => "multipolygon",
            Self::GeometryCollection => "geomcollection",
        }
    }
}

fn unsigned_suffix(base: &str, unsigned: bool) -> String {
    if unsigned { format!("{base} unsigned") } else { base.to_owned() }
}

fn with_fsp(base: &str, fsp: u8) -> String {
    if fsp == 0 { base.to_owned() } else { format!("{base}({fsp})") }
}

fn literals(members: &[String]) -> String {
    let quoted: Vec<String> =
        members.iter().map(|m| format!("'{}'", m.replace('\\', "\\\\").replace('\'', "''"))).collect();
    quoted.join(",")
}
