//! Types of columns with all their parameters, and values of them: rather those at the bounds.

use super::charset::hex;
use super::scope::{Scope, Times};
use crate::kit::Dice;

/// A type.
#[derive(Clone, Debug)]
pub enum Kind {
    Integer { bits: u32, unsigned: bool },
    Decimal { precision: u64, scale: u64, unsigned: bool },
    Float,
    Double,
    Bit { bits: u64 },
    Text { form: Form, charset: usize, collation: String },
    Bytes { form: Form },
    Enum { members: usize, list: String, charset: usize, collation: String },
    Set { members: usize, list: String, charset: usize, collation: String },
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
            0..3 => Self::Integer { bits: *dice.pick(&[8, 16, 24, 32, 64]), unsigned: dice.coin() },
            3 | 4 => {
                let precision = dice.between(1, 65);
                let scale = dice.below(precision.min(30) + 1);
                Self::Decimal { precision, scale, unsigned: dice.below(3) == 0 }
            }
            5 => Self::Float,
            6 => Self::Double,
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
        let members = usize::try_from(members).unwrap();
        let name = |number| {
            let (a, b) =
                (scope.charsets[charset].plain_letter(dice), scope.charsets[charset].plain_letter(dice));
            let name: String = [a, b].iter().collect();
            format!("'{number}{}'", name.replace('\\', "\\\\").replace('\'', "''"))
        };
        let list = (1..=members).map(name).collect::<Vec<_>>().join(",");
        if is_enum {
            return Self::Enum { members, list, charset, collation };
        }
        Self::Set { members, list, charset, collation }
    }

    /// The type as SQL declares it.
    pub fn sql(&self, scope: &Scope) -> String {
        let sign = |unsigned: &bool| if *unsigned { " UNSIGNED" } else { "" };
        let in_charset = |charset: &usize, collation| {
            format!("CHARACTER SET {} COLLATE {collation}", scope.charsets[*charset].name)
        };
        let fraction =
            |name: &str, fsp: &u64| if *fsp == 0 { name.to_owned() } else { format!("{name}({fsp})") };
        match self {
            Self::Integer { bits, unsigned } => {
                let names =
                    [(8, "TINYINT"), (16, "SMALLINT"), (24, "MEDIUMINT"), (32, "INT"), (64, "BIGINT")];
                format!("{}{}", names.iter().find(|(b, _)| b == bits).unwrap().1, sign(unsigned))
            }
            Self::Decimal { precision, scale, unsigned } => {
                format!("DECIMAL({precision},{scale}){}", sign(unsigned))
            }
            Self::Float => "FLOAT".to_owned(),
            Self::Double => "DOUBLE".to_owned(),
            Self::Bit { bits } => format!("BIT({bits})"),
            Self::Text { form, charset, collation } => {
                format!("{} {}", form.sql(["CHAR", "VARCHAR", "TEXT"]), in_charset(charset, collation))
            }
            Self::Bytes { form } => form.sql(["BINARY", "VARBINARY", "BLOB"]),
            Self::Enum { list, charset, collation, .. } => {
                format!("ENUM({list}) {}", in_charset(charset, collation))
            }
            Self::Set { list, charset, collation, .. } => {
                format!("SET({list}) {}", in_charset(charset, collation))
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

    /// A name for what is counted: the type, and its character set.
    pub fn label(&self, scope: &Scope) -> String {
        let sql = self.sql(scope);
        let end = sql.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(sql.len());
        let word = &sql[..end];
        match self {
            Self::Text { charset, .. } | Self::Enum { charset, .. } | Self::Set { charset, .. } => {
                format!("{word} {}", scope.charsets[*charset].name)
            }
            Self::Integer { unsigned: true, .. } | Self::Decimal { unsigned: true, .. } => {
                format!("{word} UNSIGNED")
            }
            _ => word.to_owned(),
        }
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
            Self::Enum { .. } | Self::Set { .. } => format!("'{}'", self.first_member()),
            Self::Date | Self::Datetime { .. } => "'2020-02-29'".to_owned(),
            Self::Time { .. } if scope.times.any_time => "'-00:00:01'".to_owned(),
            Self::Time { .. } => "'23:59:59'".to_owned(),
            Self::Year => "2001".to_owned(),
            Self::Bit { .. } => "b'1'".to_owned(),
            Self::Decimal { precision, scale, .. } if precision == scale => "0".to_owned(),
            _ => "1".to_owned(),
        }
    }

    /// The first member of an ENUM or SET, as it stands between quotes.
    fn first_member(&self) -> &str {
        match self {
            Self::Enum { list, .. } | Self::Set { list, .. } => {
                // A member has three letters, of which some are written with two.
                let end = list.find("',").unwrap_or(list.len() - 1);
                let first = &list[1..end];
                if first.ends_with('\'') && !first.ends_with("''") { &list[1..=end] } else { first }
            }
            _ => "",
        }
    }

    /// A value as SQL.
    pub fn value(&self, scope: &Scope, dice: &mut Dice) -> String {
        match self {
            Self::Integer { bits, unsigned } => integer(*bits, *unsigned, dice),
            Self::Decimal { precision, scale, unsigned } => decimal(*precision, *scale, *unsigned, dice),
            Self::Float => float(dice),
            Self::Double => double(dice),
            Self::Bit { bits } => bits_below(*bits, dice).to_string(),
            Self::Text { form, charset, .. } => {
                let bytes = scope.charsets[*charset].text(form.length(dice), dice);
                format!("_{} X'{}'", scope.charsets[*charset].name, hex(&bytes))
            }
            Self::Bytes { form } => format!("X'{}'", hex(&bytes(form.length(dice), dice))),
            Self::Enum { members, .. } => {
                let members = u64::try_from(*members).unwrap();
                let any = dice.between(1, members);
                dice.pick(&[0, 1, members, any]).to_string()
            }
            Self::Set { members, .. } => bits_below(u64::try_from(*members).unwrap(), dice).to_string(),
            Self::Date => format!("'{}'", date(Times { years: Times::ALL.years, ..scope.times }, dice)),
            Self::Time { fsp } => time(*fsp, scope.times, dice),
            Self::Datetime { fsp } => format!("'{} {}'", date(scope.times, dice), clock(*fsp, dice)),
            Self::Timestamp { fsp } => timestamp(*fsp, scope.times, dice),
            Self::Year => dice.pick(&["0", "1901", "1969", "1970", "2000", "2025", "2155"]).to_string(),
            Self::Json => super::json::value(dice),
            Self::Geometry { kind, srid } => super::geometry::value(kind, *srid, dice),
            Self::Vector { dimension } => vector(*dimension, dice),
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

    fn length(self, dice: &mut Dice) -> u64 {
        match self {
            Self::Fixed(length) | Self::Varying(length) => length,
            Self::Large("TINY") => 60,
            // Over the limits of one, two and three bytes of length now and then.
            Self::Large(_) if dice.below(30) == 0 => dice.between(200, 3000),
            Self::Large(_) => 60,
        }
    }
}

fn charset(scope: &Scope, dice: &mut Dice) -> (usize, String) {
    let charset = usize::try_from(dice.below(scope.charsets.len() as u64)).unwrap();
    (charset, dice.pick(&scope.charsets[charset].collations).clone())
}

fn bits_below(bits: u64, dice: &mut Dice) -> u64 {
    let all = u64::MAX >> (64 - bits);
    match dice.below(5) {
        0 => 0,
        1 => all,
        2 => 1 << (bits - 1),
        3 => 1,
        _ => dice.bits() & all,
    }
}

fn integer(bits: u32, unsigned: bool, dice: &mut Dice) -> String {
    if unsigned {
        return bits_below(u64::from(bits), dice).to_string();
    }
    let (low, high) = (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
    match dice.below(7) {
        0 => low,
        1 => high,
        2 => 0,
        3 => -1,
        4 => 1,
        _ => dice.bits().cast_signed() >> (64 - bits),
    }
    .to_string()
}

fn decimal(precision: u64, scale: u64, unsigned: bool, dice: &mut Dice) -> String {
    let mut digits = |count: u64, of: Option<u64>| -> String {
        (0..count)
            .map(|_| char::from(b'0' + u8::try_from(of.unwrap_or_else(|| dice.below(10))).unwrap()))
            .collect()
    };
    let (whole, fraction) = (precision - scale, scale);
    let texts = [
        format!("{}.{}", digits(whole, Some(9)), digits(fraction, Some(9))),
        format!("0.{}1", digits(fraction.saturating_sub(1), Some(0))),
        "0".to_owned(),
        format!("{}.{}", digits(whole, None), digits(fraction, None)),
        format!("{}.{}", digits(whole / 2, None), digits(fraction, None)),
    ];
    let sign = if !unsigned && dice.coin() { "-" } else { "" };
    let text = dice.pick(&texts);
    // Without a fraction a number of no digits is left.
    format!("{sign}0{text}0")
}

fn float(dice: &mut Dice) -> String {
    let bits = u32::try_from(dice.bits() >> 32).unwrap();
    let value = match dice.below(8) {
        0 => -0.0,
        1 => f32::from_bits(1),
        2 => f32::MAX,
        3 => f32::MIN_POSITIVE,
        4 => 0.1,
        5 => 16_777_217.0,
        _ => Some(f32::from_bits(bits)).filter(|f| f.is_finite()).unwrap_or(1.5),
    };
    format!("{:e}", f64::from(value))
}

fn double(dice: &mut Dice) -> String {
    let value = match dice.below(8) {
        0 => -0.0,
        1 => f64::from_bits(1),
        2 => f64::MAX,
        3 => f64::MIN_POSITIVE,
        4 => 0.1,
        5 => 9_007_199_254_740_993.0,
        _ => Some(f64::from_bits(dice.bits())).filter(|f| f.is_finite()).unwrap_or(-1.5),
    };
    format!("{value:e}")
}

fn bytes(length_max: u64, dice: &mut Dice) -> Vec<u8> {
    let any = dice.below(length_max + 1);
    let length = *dice.pick(&[0, length_max, any]);
    let byte = |_| {
        let any = u8::try_from(dice.below(256)).unwrap();
        *dice.pick(&[0, b' ', b'\'', b'\\', 0xff, any])
    };
    (0..length).map(byte).collect()
}

fn date(times: Times, dice: &mut Dice) -> String {
    const REAL: [&str; 9] = [
        "0001-01-01",
        "1582-10-10",
        "1678-01-01",
        "1969-12-31",
        "1970-01-01",
        "2024-02-29",
        "2038-01-19",
        "2038-01-20",
        "9999-12-31",
    ];
    const ODD: [&str; 7] =
        ["0000-00-00", "0000-01-01", "1000-00-00", "2020-00-31", "2021-02-30", "2021-02-31", "2000-05-00"];
    let (low, high) = times.years;
    if dice.coin() {
        let odd = if times.odd_dates { ODD.as_slice() } else { &[] };
        let date = *dice.pick(&[&REAL, odd].concat());
        let year: u64 = date[..4].parse().unwrap();
        if (low..=high).contains(&year) {
            return date.to_owned();
        }
    }
    let year = dice.between(low.max(1 - u64::from(times.odd_dates)), high);
    format!("{year:04}-{:02}-{:02}", dice.between(1, 12), dice.between(1, 28))
}

fn fraction(fsp: u64, dice: &mut Dice) -> String {
    if fsp == 0 {
        return String::new();
    }
    let size = usize::try_from(fsp).unwrap();
    let all = 10u64.pow(u32::try_from(fsp).unwrap());
    let any = dice.below(all);
    format!(".{:0size$}", dice.pick(&[0, 1, all - 1, any]))
}

fn clock(fsp: u64, dice: &mut Dice) -> String {
    let whole = match dice.below(3) {
        0 => "00:00:00".to_owned(),
        1 => "23:59:59".to_owned(),
        _ => format!("{:02}:{:02}:{:02}", dice.below(24), dice.below(60), dice.below(60)),
    };
    format!("{whole}{}", fraction(fsp, dice))
}

fn time(fsp: u64, times: Times, dice: &mut Dice) -> String {
    if !times.any_time {
        return format!("'{}'", clock(fsp, dice));
    }
    let sign = if dice.coin() { "-" } else { "" };
    let whole = match dice.below(4) {
        // No fraction: it would be over the end.
        0 => return format!("'{sign}838:59:59'"),
        1 => "00:00:00".to_owned(),
        _ => format!("{}:{:02}:{:02}", dice.below(838), dice.below(60), dice.below(60)),
    };
    format!("'{sign}{whole}{}'", fraction(fsp, dice))
}

fn timestamp(fsp: u64, times: Times, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 if times.odd_dates => "0".to_owned(),
        1 if times.odd_dates => format!("'1970-01-01 00:00:01{}'", fraction(fsp, dice)),
        2 if times.odd_dates => format!("'2038-01-19 03:14:07{}'", fraction(fsp, dice)),
        // What is over the end in the session's time zone becomes a date of zeros.
        0 | 1 => format!("'1970-01-02 00:00:00{}'", fraction(fsp, dice)),
        2 => format!("'2038-01-18 03:14:07{}'", fraction(fsp, dice)),
        _ => {
            let (year, month, day) = (dice.between(1971, 2037), dice.between(1, 12), dice.between(1, 28));
            format!("'{year}-{month:02}-{day:02} {}'", clock(fsp, dice))
        }
    }
}

fn vector(dimension: u64, dice: &mut Dice) -> String {
    let any = dice.between(1, dimension);
    let count = *dice.pick(&[1, dimension, any]);
    let number = |dice: &mut Dice| *dice.pick(&["0", "-0", "1.5", "-2.25", "3.4e38", "1e-40", "0.1"]);
    let numbers: Vec<&str> = (0..count).map(|_| number(dice)).collect();
    format!("TO_VECTOR('[{}]')", numbers.join(","))
}
