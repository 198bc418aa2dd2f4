//! Values of columns: rather those at the bounds of their types.

use super::charset::hex;
use super::kind::Kind;
use super::scope::{Scope, Times};
use crate::kit::Dice;

impl Kind {
    /// A value as SQL.
    pub fn value(&self, scope: &Scope, dice: &mut Dice) -> String {
        match self {
            Self::Integer { bits, sign } => integer(*bits, !sign.is_empty(), dice),
            Self::Decimal { precision, scale, sign } => decimal(*precision, *scale, !sign.is_empty(), dice),
            Self::Float { .. } => float(dice),
            Self::Double { .. } => double(dice),
            Self::Bit { bits } => bits_below(*bits, dice).to_string(),
            Self::Text { form, charset, .. } => {
                let bytes = scope.charsets[*charset].text(form.length(dice), dice);
                let text = format!("_{} X'{}'", scope.charsets[*charset].name, hex(&bytes));
                repeated(text, form.repeats(dice))
            }
            Self::Bytes { form } => {
                let bytes = format!("X'{}'", hex(&bytes(form.length(dice), dice)));
                repeated(bytes, form.repeats(dice))
            }
            Self::Enum { members, .. } => {
                let members = members.len() as u64;
                let any = dice.between(1, members);
                dice.pick(&[0, 1, members, any]).to_string()
            }
            Self::Set { members, .. } => bits_below(members.len() as u64, dice).to_string(),
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

fn repeated(value: String, times: u64) -> String {
    if times > 1 { format!("REPEAT({value}, {times})") } else { value }
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
