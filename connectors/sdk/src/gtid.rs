//! Global transaction identifiers and sets of them (MySQL manual, "GTID Format
//! and Storage"): `uuid:1-5:7,uuid:tag:1-3`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

/// Digits and dashes.
const UUID_LEN: usize = 36;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Who numbered a transaction: a server's uuid, and a tag (8.3 and later) or "".
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The server's uuid.
    pub uuid: [u8; 16],
    /// The tag in lower case; empty for none.
    pub tag: String,
}

/// One transaction's identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gtid {
    /// Who numbered it.
    pub origin: Origin,
    /// Its number, from 1.
    pub number: u64,
}

/// A set of identifiers: for each origin, disjoint intervals `[first, last]`
/// in ascending order with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidSet {
    origins: BTreeMap<Origin, Vec<(u64, u64)>>,
}

impl GtidSet {
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Origins with their intervals, first and last number inclusive.
    pub fn iter(&self) -> impl Iterator<Item = (&Origin, &[(u64, u64)])> {
        self.origins.iter().map(|(origin, intervals)| (origin, intervals.as_slice()))
    }

    /// Adds one identifier.
    pub fn insert(&mut self, gtid: &Gtid) {
        match self.origins.get_mut(&gtid.origin) {
            Some(intervals) => insert_interval(intervals, gtid.number, gtid.number),
            None => {
                self.origins.insert(gtid.origin.clone(), vec![(gtid.number, gtid.number)]);
            }
        }
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        for (origin, intervals) in &other.origins {
            let mine = self.origins.entry(origin.clone()).or_default();
            for &(first, last) in intervals {
                insert_interval(mine, first, last);
            }
        }
    }

    /// Whether it holds this identifier.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        self.covers(&gtid.origin, gtid.number, gtid.number)
    }

    /// Whether every identifier of this set is in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.origins.iter().all(|(origin, intervals)| {
            intervals.iter().all(|&(first, last)| other.covers(origin, first, last))
        })
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (origin, intervals) in &self.origins {
            let taken = other.origins.get(origin).map_or(&[][..], Vec::as_slice);
            let left: Vec<_> = intervals.iter().flat_map(|&i| interval_minus(i, taken)).collect();
            if !left.is_empty() {
                rest.origins.insert(origin.clone(), left);
            }
        }
        rest
    }

    fn covers(&self, origin: &Origin, first: u64, last: u64) -> bool {
        let Some(intervals) = self.origins.get(origin) else { return false };
        let at = intervals.partition_point(|i| i.1 < first);
        intervals.get(at).is_some_and(|i| i.0 <= first && last <= i.1)
    }
}

/// Adds `[first, last]`; in the common case it extends the last interval in place.
fn insert_interval(intervals: &mut Vec<(u64, u64)>, first: u64, last: u64) {
    let from = intervals.partition_point(|i| i.1.saturating_add(1) < first);
    let to = intervals.partition_point(|i| i.0 <= last.saturating_add(1));
    if from == to {
        intervals.insert(from, (first, last));
        return;
    }
    let merged = (first.min(intervals[from].0), last.max(intervals[to - 1].1));
    intervals[from] = merged;
    intervals.drain(from + 1..to);
}

fn interval_minus((first, last): (u64, u64), taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    let mut next = first;
    for &(from, to) in taken.iter().filter(|t| t.1 >= first && t.0 <= last) {
        if from > next {
            left.push((next, from - 1));
        }
        next = to.saturating_add(1);
    }
    if next <= last {
        left.push((next, last));
    }
    left
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of each transaction, so not digit by digit.
        let mut text = [b'-'; UUID_LEN];
        let mut at = 0;
        for (index, byte) in self.uuid.iter().enumerate() {
            at += usize::from(matches!(index, 4 | 6 | 8 | 10));
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)?;
        if self.tag.is_empty() { Ok(()) } else { write!(f, ":{}", self.tag) }
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.origin, self.number)
    }
}

/// Every origin with its own uuid, so that each part reads alone:
/// `uuid:1-5:7,uuid:tag:1-3`. MySQL takes this form too.
impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (origin, intervals)) in self.origins.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{origin}")?;
            for (first, last) in intervals {
                if first == last { write!(f, ":{first}")? } else { write!(f, ":{first}-{last}")? }
            }
        }
        Ok(())
    }
}

impl FromStr for GtidSet {
    type Err = Error;

    /// Reads what the server prints: parts by commas, white space anywhere, tags
    /// between intervals (`uuid:1-3:tag:1:2-5`).
    fn from_str(text: &str) -> Result<Self> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            parse_part(part, &mut set).ok_or_else(|| {
                Error::new(Kind::BadPosition, format!("'{part}' is not part of a GTID set"))
                    .hint("write it as the server prints it: 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77")
            })?;
        }
        Ok(set)
    }
}

impl FromStr for Gtid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let set: GtidSet = text.parse()?;
        let single = set.iter().next().filter(|_| set.origins.len() == 1);
        match single {
            Some((origin, [(first, last)])) if first == last => {
                Ok(Self { origin: origin.clone(), number: *first })
            }
            _ => Err(Error::new(Kind::BadPosition, format!("'{text}' is not one GTID"))),
        }
    }
}

fn parse_part(part: &str, set: &mut GtidSet) -> Option<()> {
    let mut fields = part.split(':').map(str::trim);
    let uuid = parse_uuid(fields.next()?)?;
    let mut tag = String::new();
    for field in fields {
        if field.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            tag = parse_tag(field)?;
            continue;
        }
        let (first, last) = match field.split_once('-') {
            Some((first, last)) => (first.trim().parse().ok()?, last.trim().parse().ok()?),
            None => field.parse().ok().map(|n: u64| (n, n))?,
        };
        if first == 0 || last < first {
            return None;
        }
        let origin = Origin { uuid, tag: tag.clone() };
        insert_interval(set.origins.entry(origin).or_default(), first, last);
    }
    Some(())
}

fn parse_tag(field: &str) -> Option<String> {
    let legal = field.len() <= 32 && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    legal.then(|| field.to_ascii_lowercase())
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut digits = text.bytes().filter(|b| *b != b'-');
    let mut uuid = [0u8; 16];
    for byte in &mut uuid {
        let high = char::from(digits.next()?).to_digit(16)?;
        let low = char::from(digits.next()?).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    digits.next().is_none().then_some(uuid)
}

#[cfg(test)]
mod tests;
