//! Types of columns with all their parameters, and values of them: rather those at the bounds.

use super::charset::Charset;
use super::scope::Scope;
use crate::kit::Dice;

/// A type.
#[derive(Clone, Debug)]
pub enum Kind {
    Integer { bits: u32, sign: &'static str },
    Decimal { precision: u64, scale: u64, sign: &'static str },
    Float { shape: &'static str },
    Double { shape: &'static str },
    Bit { bits: u64 },
    Text { form: Form, charset: usize, collation: String },
    Bytes { form: Form },
    Enum { members: Vec<String>, charset: usize, collation: String },
    Set { members: Vec<String>, charset: usize, collation: String },
    Date,
    Time { fsp: u64 },
    Datetime { fsp: u64 },
    Timestamp { fsp: u64 },
    Year,
    Json,
    Geometry { kind: &'static str, srid: Option<u32> },
    Vector { dimension: u64 },
}

/// How long text or bytes may be.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Fixed(u64),
    Varying(u64),
    Large(&'static str),
}

const LENGTH_MAX: u64 = 40;
/// What may stand behind an integer or DECIMAL; ZEROFILL makes it unsigned.
const SIGNS: [&str; 8] = ["", "", "", "", "", " UNSIGNED", " UNSIGNED", " ZEROFILL"];
/// What may stand behind FLOAT and DOUBLE: digits to which values are rounded, and signs. Of digits no more than a FLOAT
/// has, or more than it reaches: the largest of others the server itself refuses when it comes back.
const SHAPES: [&str; 10] =
    ["", "", "", "", "(7,3)", "(12,0)", "(6,1) UNSIGNED", "(255,30)", " UNSIGNED", " ZEROFILL"];
/// Dimensions of a VECTOR that is large; the last is the most that the server takes.
const DIMENSIONS: [u64; 3] = [300, 2048, 16_383];
const GEOMETRIES: [&str; 8] = [
    "GEOMETRY",
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

impl Kind {
    /// Any type.
    pub fn any(scope: &Scope, dice: &mut Dice) -> Self {
        match dice.below(28) {
            0..3 => Self::Integer {
                bits: *dice.pick(&[8, 16, 24, 32, 64]),
                sign: if dice.coin() { "" } else { dice.pick::<&str>(&SIGNS[5..]) },
            },
            3 | 4 => {
                let precision = dice.between(1, scope.digits_max);
                let scale = dice.below(precision.min(30) + 1);
                Self::Decimal { precision, scale, sign: dice.pick::<&str>(&SIGNS) }
            }
            5 => Self::Float { shape: dice.pick::<&str>(&SHAPES) },
            6 => Self::Double { shape: dice.pick::<&str>(&SHAPES) },
            7 => Self::Bit { bits: dice.between(1, 64) },
            8..14 => {
                let (charset, collation) = charset(scope, dice);
                Self::Text { form: Form::any(dice), charset, collation }
            }
            14 | 15 => Self::Bytes { form: Form::any(dice) },
            16 | 17 => Self::listed(scope, dice),
            18 => Self::Date,
            19 => Self::Time { fsp: dice.below(scope.times.fsp_max + 1) },
            20 => Self::Datetime { fsp: dice.below(scope.times.fsp_max + 1) },
            21 => Self::Timestamp { fsp: dice.below(7) },
            22 => Self::Year,
            23 | 24 => Self::Json,
            25 | 26 => Self::Geometry {
                kind: dice.pick::<&str>(&GEOMETRIES),
                srid: *dice.pick(&[None, Some(0), Some(4326)]),
            },
            _ if dice.below(12) == 0 => Self::Vector { dimension: *dice.pick(&DIMENSIONS) },
            _ => Self::Vector { dimension: dice.between(1, 20) },
        }
    }

    /// An ENUM or a SET.
    fn listed(scope: &Scope, dice: &mut Dice) -> Self {
        let (charset, collation) = charset(scope, dice);
        let is_enum = dice.coin();
        let members = match dice.below(4) {
            0 => 1,
            1 => 64,
            2 if is_enum => 300,
            _ => dice.between(2, 9),
        };
        let members =
            (1..=members).map(|number| member(number, is_enum, &scope.charsets[charset], dice)).collect();
        if is_enum {
            return Self::Enum { members, charset, collation };
        }
        Self::Set { members, charset, collation }
    }

    /// The type as SQL declares it.
    pub fn sql(&self, scope: &Scope) -> String {
        let in_charset = |charset: &usize, collation| {
            format!("CHARACTER SET {} COLLATE {collation}", scope.charsets[*charset].name)
        };
        let fraction =
            |name: &str, fsp: &u64| if *fsp == 0 { name.to_owned() } else { format!("{name}({fsp})") };
        match self {
            Self::Integer { bits, sign } => {
                let names =
                    [(8, "TINYINT"), (16, "SMALLINT"), (24, "MEDIUMINT"), (32, "INT"), (64, "BIGINT")];
                format!("{}{sign}", names.iter().find(|(b, _)| b == bits).unwrap().1)
            }
            Self::Decimal { precision, scale, sign } => format!("DECIMAL({precision},{scale}){sign}"),
            Self::Float { shape } => format!("FLOAT{shape}"),
            Self::Double { shape } => format!("DOUBLE{shape}"),
            Self::Bit { bits } => format!("BIT({bits})"),
            Self::Text { form, charset, collation } => {
                format!("{} {}", form.sql(["CHAR", "VARCHAR", "TEXT"]), in_charset(charset, collation))
            }
            Self::Bytes { form } => form.sql(["BINARY", "VARBINARY", "BLOB"]),
            Self::Enum { members, charset, collation } => {
                format!("ENUM({}) {}", members.join(","), in_charset(charset, collation))
            }
            Self::Set { members, charset, collation } => {
                format!("SET({}) {}", members.join(","), in_charset(charset, collation))
            }
            Self::Date => "DATE".to_owned(),
            Self::Time { fsp } => fraction("TIME", fsp),
            Self::Datetime { fsp } => fraction("DATETIME", fsp),
            Self::Timestamp { fsp } => fraction("TIMESTAMP", fsp),
            Self::Year => "YEAR".to_owned(),
            Self::Json => "JSON".to_owned(),
            Self::Geometry { kind, srid } => {
                format!("{kind}{}", srid.map_or_else(String::new, |srid| format!(" SRID {srid}")))
            }
            Self::Vector { dimension } => format!("VECTOR({dimension})"),
        }
    }

    /// A name for what is counted: the type, and where it has one its character set.
    pub fn label(&self, scope: &Scope) -> (String, Option<String>) {
        let sql = self.sql(scope);
        let end = sql.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(sql.len());
        let word = &sql[..end];
        match self {
            Self::Text { charset, .. } | Self::Enum { charset, .. } | Self::Set { charset, .. } => {
                (word.to_owned(), Some(scope.charsets[*charset].name.clone()))
            }
            Self::Integer { sign, .. } | Self::Decimal { sign, .. } => (format!("{word}{sign}"), None),
            Self::Float { shape } | Self::Double { shape } => {
                let digits = if shape.starts_with('(') { "(M,D)" } else { "" };
                (format!("{word}{digits}{}", shape.trim_start_matches(|c| c != ' ')), None)
            }
            Self::Geometry { srid: Some(srid), .. } => (format!("{word} SRID {srid}"), None),
            _ => (word.to_owned(), None),
        }
    }

    /// The same, and wider: what the column has fits.
    pub fn widened(&self, scope: &Scope, dice: &mut Dice) -> Option<Self> {
        let mut wide = self.clone();
        match &mut wide {
            Self::Integer { bits, .. } if *bits < 64 => *bits = if *bits == 32 { 64 } else { *bits + 8 },
            Self::Decimal { precision, scale, .. } if *precision < scope.digits_max => {
                // Digits behind the point only together with one before it.
                *scale += u64::from(*scale < 30 && *precision + 2 <= scope.digits_max && dice.coin());
                *precision = scope.digits_max.min(*precision + 2);
            }
            Self::Bit { bits } if *bits < 64 => *bits += 1,
            Self::Text { form, .. } | Self::Bytes { form } => *form = form.widened(dice)?,
            Self::Enum { members, charset, .. } => {
                members.push(member(members.len() as u64 + 1, true, &scope.charsets[*charset], dice));
            }
            Self::Set { members, charset, .. } if members.len() < 64 => {
                members.push(member(members.len() as u64 + 1, false, &scope.charsets[*charset], dice));
            }
            Self::Time { fsp } | Self::Datetime { fsp } if *fsp < scope.times.fsp_max => *fsp += 1,
            Self::Timestamp { fsp } if *fsp < 6 => *fsp += 1,
            Self::Vector { dimension } if *dimension < 16_383 => *dimension += 1,
            _ => return None,
        }
        Some(wide)
    }

    /// How it stands in a key: whole (""), by a prefix, or not at all.
    pub fn in_key(&self) -> Option<&'static str> {
        match self {
            Self::Json | Self::Geometry { .. } | Self::Vector { .. } => None,
            Self::Text { form: Form::Large(_), .. } | Self::Bytes { form: Form::Large(_) } => Some("(5)"),
            _ => Some(""),
        }
    }

    /// Whether a literal may stand behind DEFAULT. That of a TIMESTAMP the catalogue shows in the time zone of
    /// whoever altered the table last.
    pub fn takes_default(&self) -> bool {
        !matches!(
            self,
            Self::Json
                | Self::Timestamp { .. }
                | Self::Geometry { .. }
                | Self::Vector { .. }
                | Self::Text { form: Form::Large(_), .. }
                | Self::Bytes { form: Form::Large(_) }
        )
    }

    /// What the rows that are there get where a column of it comes that may not be NULL: an empty VECTOR no server takes
    /// from a client, and zero dates not every mode keeps.
    pub fn may_be_added(&self, scope: &Scope) -> bool {
        match self {
            Self::Vector { .. } => false,
            Self::Date | Self::Datetime { .. } | Self::Timestamp { .. } => scope.times.odd_dates,
            _ => true,
        }
    }

    /// A literal that may stand behind DEFAULT.
    pub fn default(&self, scope: &Scope) -> String {
        match self {
            Self::Text { .. } | Self::Bytes { .. } => "''".to_owned(),
            Self::Enum { members, .. } | Self::Set { members, .. } => members[0].clone(),
            Self::Date | Self::Datetime { .. } => "'2020-02-29'".to_owned(),
            Self::Time { .. } if scope.times.any_time => "'-00:00:01'".to_owned(),
            Self::Time { .. } => "'23:59:59'".to_owned(),
            Self::Year => "2001".to_owned(),
            Self::Bit { .. } => "b'1'".to_owned(),
            Self::Decimal { precision, scale, .. } if precision == scale => "0".to_owned(),
            _ => "1".to_owned(),
        }
    }
}

impl Form {
    fn any(dice: &mut Dice) -> Self {
        let length = *dice.pick(&[1, 2, 8, LENGTH_MAX]);
        match dice.below(5) {
            0 | 1 => Self::Varying(length),
            2 | 3 => Self::Fixed(length),
            _ => Self::Large(dice.pick::<&str>(&["TINY", "", "MEDIUM", "LONG"])),
        }
    }

    fn sql(self, [fixed, varying, large]: [&str; 3]) -> String {
        match self {
            Self::Fixed(length) => format!("{fixed}({length})"),
            Self::Varying(length) => format!("{varying}({length})"),
            Self::Large(size) => format!("{size}{large}"),
        }
    }

    pub fn length(self, dice: &mut Dice) -> u64 {
        match self {
            Self::Fixed(length) | Self::Varying(length) => length,
            Self::Large("TINY") => 60,
            // Over the limit of one byte of length now and then.
            Self::Large(_) if dice.below(30) == 0 => dice.between(200, 3000),
            Self::Large(_) => 60,
        }
    }

    /// How often a value is there in a row: over the limit of two bytes of length, 64 KiB, now and then.
    pub fn repeats(self, dice: &mut Dice) -> u64 {
        let long = matches!(self, Self::Large("MEDIUM" | "LONG")) && dice.below(40) == 0;
        if long { dice.between(1000, 4000) } else { 1 }
    }

    /// The same, and longer. What fills a BINARY up is a part of its values: they change.
    fn widened(self, dice: &mut Dice) -> Option<Self> {
        match self {
            Self::Fixed(length) if length < 200 => Some(Self::Fixed(length + dice.between(1, 3))),
            Self::Varying(length) => Some(Self::Varying(length + *dice.pick(&[1, 20, 250]))),
            Self::Large("TINY") => Some(Self::Large(dice.pick::<&str>(&["", "LONG"]))),
            Self::Large("") => Some(Self::Large("MEDIUM")),
            Self::Large("MEDIUM") => Some(Self::Large("LONG")),
            _ => None,
        }
    }
}

fn charset(scope: &Scope, dice: &mut Dice) -> (usize, String) {
    let charset = usize::try_from(dice.below(scope.charsets.len() as u64)).unwrap();
    (charset, dice.pick(&scope.charsets[charset].collations).clone())
}

/// A member of an ENUM or SET as it stands in the list: with quotes now and then, and of an ENUM with commas.
fn member(number: u64, is_enum: bool, charset: &Charset, dice: &mut Dice) -> String {
    let mut letters = [charset.plain_letter(dice), charset.plain_letter(dice)];
    if is_enum && dice.below(8) == 0 {
        letters[0] = ',';
    }
    if dice.below(8) == 0 {
        letters[1] = *dice.pick(&['\'', '"']);
    }
    let name: String = letters.iter().collect();
    format!("'{number}{}'", name.replace('\\', "\\\\").replace('\'', "''"))
}
