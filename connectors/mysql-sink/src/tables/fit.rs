//! Whether a column of the destination holds every value of a column of the source, unchanged.

use cdc_sdk::column::{BlobSize, Column, ColumnType, GeometryKind};

use super::catalogue::Actual;
use crate::apply::{Danger, Members, Misfit};

/// Whether every value of the source's column can be stored in the destination's, and means the same there.
/// `in_key`: the column says which row is meant, so that its collation matters too.
pub(crate) fn holds(actual: &Actual, wanted: &Column, in_key: bool) -> bool {
    actual.ty.as_ref().is_some_and(|ty| holds_type(ty, &wanted.ty.as_catalogued()))
        && holds_digits_of(&actual.type_text, &wanted.type_sql())
        && (actual.nullable || !wanted.nullable)
        && holds_charset(actual.charset.as_deref(), wanted.charset.as_deref())
        && (actual.srid.is_none() || actual.srid == wanted.extra.srid)
        && (!in_key || tells_apart(actual, wanted))
}

/// FLOAT(M,D) and DOUBLE(M,D) round what they are given, and MySQL says nothing of it.
fn holds_digits_of(actual: &str, wanted: &str) -> bool {
    match (digits(actual), digits(wanted)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((before, behind)), Some(theirs)) => before >= theirs.0 && behind >= theirs.1,
    }
}

/// The digits before and behind the point that FLOAT(M,D) and DOUBLE(M,D) have.
fn digits(text: &str) -> Option<(u32, u32)> {
    let text = text.to_ascii_lowercase();
    let rest = text.strip_prefix("float").or_else(|| text.strip_prefix("double"))?;
    let (inside, _) = rest.strip_prefix('(')?.split_once(')')?;
    let (all, behind) = inside.split_once(',')?;
    let (all, behind): (u32, u32) = (all.trim().parse().ok()?, behind.trim().parse().ok()?);
    Some((all.saturating_sub(behind), behind))
}

/// Whether rows of the source's column can be written into the destination's, though that is of another kind: numbers
/// into text, as their digits.
pub(crate) fn takes(actual: &Actual, wanted: &Column) -> bool {
    let digits = actual.ty.as_ref().is_some_and(|ty| holds_digits(ty, &wanted.ty));
    digits && (actual.nullable || !wanted.nullable)
}

/// Whether an ALTER to the source's type leaves each value of the destination's column what it is.
pub(crate) fn keeps(actual: &Actual, wanted: &Column) -> bool {
    let Some(ty) = &actual.ty else { return false };
    let kept = holds_type(&wanted.ty, ty) || holds_digits(&wanted.ty, ty) || holds_members(&wanted.ty, ty);
    kept && holds_charset(wanted.charset.as_deref(), actual.charset.as_deref())
        && (wanted.extra.srid.is_none() || wanted.extra.srid == actual.srid)
}

/// An ENUM or SET with the members that the source's has besides its own; nothing where it has them all.
pub(crate) fn with_members(actual: &Actual, wanted: &Column) -> Option<ColumnType> {
    use ColumnType::{Enum, Set};
    let mut wider = actual.ty.clone()?;
    let (ours, theirs) = match (&mut wider, &wanted.ty) {
        (Enum { members: ours }, Enum { members: theirs }) => (ours, theirs),
        (Set { members: ours }, Set { members: theirs }) => (ours, theirs),
        _ => return None,
    };
    let missing: Vec<String> = theirs.iter().filter(|member| !ours.contains(member)).cloned().collect();
    ours.extend_from_slice(&missing);
    (!missing.is_empty()).then_some(wider)
}

/// Whether a column is one of text.
pub(crate) fn is_text(actual: &Actual) -> bool {
    use ColumnType::{Char, Text, Varchar};
    matches!(actual.ty, Some(Char { .. } | Varchar { .. } | Text { .. }))
}

/// What the destination's column could do to values of the source's without a word; nothing where it holds them all.
pub(crate) fn misfit(actual: &Actual, wanted: &Column) -> Option<Misfit> {
    use ColumnType as T;
    let ty = actual.ty.as_ref()?;
    let source = wanted.ty.as_catalogued();
    if holds_type(ty, &source) && holds_digits_of(&actual.type_text, &wanted.type_sql()) {
        return None;
    }
    let usize = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
    let danger = match (ty, &wanted.ty) {
        (
            T::Enum { members } | T::Set { members },
            T::Enum { members: names } | T::Set { members: names },
        ) => {
            let same_kind =
                matches!((ty, &source), (T::Enum { .. }, T::Enum { .. }) | (T::Set { .. }, T::Set { .. }));
            let place = |name: &String| members.iter().position(|m| same_kind && m == name);
            Danger::Members(Members { places: Some(names.iter().map(place).collect()), names: names.clone() })
        }
        (T::Char { .. } | T::Varchar { .. } | T::Text { .. }, T::Enum { members } | T::Set { members }) => {
            Danger::Members(Members { places: None, names: members.clone() })
        }
        (T::Enum { members } | T::Set { members }, _) => Danger::Named(members.clone()),
        (T::Binary { .. } | T::Varbinary { .. } | T::Blob { .. }, T::Text { .. })
            if wanted.charset.is_none() =>
        {
            Danger::Encoded
        }
        (T::Decimal { scale, .. }, _) => Danger::Digits(usize(u32::from(*scale))),
        (T::Integer { .. } | T::Bit { .. }, _) => Danger::Digits(0),
        (T::Float { .. } | T::Double { .. }, _) => match digits(&actual.type_text) {
            Some((_, behind)) if matches!(ty, T::Float { .. }) => Danger::SingleDigits(usize(behind)),
            Some((_, behind)) => Danger::Digits(usize(behind)),
            None if matches!(ty, T::Float { .. }) => Danger::Single,
            None => Danger::Double,
        },
        (T::Datetime { fsp } | T::Timestamp { fsp }, _) => Danger::Instant(usize(u32::from(*fsp))),
        (T::Time { fsp }, _) => Danger::Clock(usize(u32::from(*fsp))),
        (T::Date, _) => Danger::Day,
        (T::Year, _) => Danger::Year,
        (T::Char { .. }, _) => Danger::Spaces { letters: 0, bytes: usize::MAX },
        (T::Varchar { length }, _) => Danger::Spaces { letters: usize(*length), bytes: usize::MAX },
        (T::Text { size }, _) => {
            let bytes = usize::try_from(capacity(*size)).unwrap_or(usize::MAX);
            Danger::Spaces { letters: usize::MAX, bytes }
        }
        (T::Binary { length }, _) => Danger::Padding(usize(*length)),
        // What is too long or none at all is refused by the server.
        (T::Varbinary { .. } | T::Blob { .. } | T::Json | T::Geometry { .. } | T::Vector { .. }, _) => {
            return None;
        }
    };
    Some(Misfit { type_text: actual.type_text.clone(), danger })
}

fn holds_digits(text: &ColumnType, number: &ColumnType) -> bool {
    let digits = match number {
        ColumnType::Integer { .. } => 20,
        // A sign, a zero before the point, and the point.
        ColumnType::Decimal { precision, .. } => u32::from(*precision) + 3,
        _ => return false,
    };
    has_room(text, digits)
}

fn holds_members(text: &ColumnType, members: &ColumnType) -> bool {
    let length = |text: &String| text.chars().count();
    let longest = match members {
        ColumnType::Enum { members } => members.iter().map(length).max(),
        ColumnType::Set { members } => Some(members.iter().map(|m| length(m) + 1).sum()),
        _ => return false,
    };
    has_room(text, u32::try_from(longest.unwrap_or(0)).unwrap_or(u32::MAX))
}

fn has_room(text: &ColumnType, letters: u32) -> bool {
    match text {
        ColumnType::Char { length } | ColumnType::Varchar { length } => *length >= letters,
        ColumnType::Text { size } => capacity(*size) >= u64::from(letters) * 4,
        _ => false,
    }
}

/// Whether the type is exactly the source's.
pub(crate) fn same(actual: &Actual, wanted: &Column) -> bool {
    let equal = |a: Option<&str>, b: Option<&str>| b.is_none() || a.map(plain) == b.map(plain);
    actual.ty.as_ref() == Some(&wanted.ty.as_catalogued())
        && holds_digits_of(&actual.type_text, &wanted.type_sql())
        && actual.nullable == wanted.nullable
        && (actual.srid.is_none() || actual.srid == wanted.extra.srid)
        && equal(actual.charset.as_deref(), wanted.charset.as_deref())
        && equal(actual.collation.as_deref(), wanted.collation.as_deref())
}

fn holds_type(actual: &ColumnType, wanted: &ColumnType) -> bool {
    use ColumnType as T;
    match (actual, wanted) {
        (a, b) if a == b => true,
        (T::Integer { width: a, unsigned: au }, T::Integer { width: b, unsigned: bu }) => {
            let (a, b) = (a.range(*au), b.range(*bu));
            a.start() <= b.start() && a.end() >= b.end()
        }
        (
            T::Decimal { precision: ap, scale: a, unsigned: au },
            T::Decimal { precision: bp, scale: b, unsigned: bu },
        ) => a >= b && ap.saturating_sub(*a) >= bp.saturating_sub(*b) && (!au || *bu),
        (T::Double { unsigned: au }, T::Float { unsigned: bu } | T::Double { unsigned: bu })
        | (T::Float { unsigned: au }, T::Float { unsigned: bu }) => !au || *bu,
        (T::Bit { bits: a }, T::Bit { bits: b }) => a >= b,
        (T::Char { length: a }, T::Char { length: b })
        | (T::Varchar { length: a }, T::Varchar { length: b } | T::Char { length: b })
        | (T::Varbinary { length: a }, T::Varbinary { length: b } | T::Binary { length: b }) => a >= b,
        (T::Text { size }, T::Varchar { length } | T::Char { length }) => {
            capacity(*size) >= u64::from(*length) * 4
        }
        (T::Blob { size }, T::Varbinary { length } | T::Binary { length }) => {
            capacity(*size) >= u64::from(*length)
        }
        (T::Text { size: a }, T::Text { size: b }) | (T::Blob { size: a }, T::Blob { size: b }) => a >= b,
        (T::Enum { members: a }, T::Enum { members: b }) | (T::Set { members: a }, T::Set { members: b }) => {
            a.starts_with(b)
        }
        (T::Time { fsp: a }, T::Time { fsp: b })
        | (T::Datetime { fsp: a }, T::Datetime { fsp: b })
        | (T::Timestamp { fsp: a }, T::Timestamp { fsp: b }) => a >= b,
        (T::Geometry { kind: GeometryKind::Geometry }, T::Geometry { .. }) => true,
        (T::Vector { dimension: a }, T::Vector { dimension: b }) => a >= b,
        // Every other pair is of two kinds: a value would have to be converted.
        _ => false,
    }
}

fn capacity(size: BlobSize) -> u64 {
    match size {
        BlobSize::Tiny => (1 << 8) - 1,
        BlobSize::Normal => (1 << 16) - 1,
        BlobSize::Medium => (1 << 24) - 1,
        BlobSize::Long => (1 << 32) - 1,
    }
}

/// Every character of another set is in Unicode; that it comes back the same is the server's conversion's word.
fn holds_charset(actual: Option<&str>, wanted: Option<&str>) -> bool {
    match (actual.map(plain), wanted.map(plain)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(a), Some(w)) => a == w || matches!(a.as_str(), "utf8mb4" | "utf16" | "utf32") || w == "ascii",
    }
}

/// Whether two values that differ at the source differ at the destination.
fn tells_apart(actual: &Actual, wanted: &Column) -> bool {
    match (actual.collation.as_deref().map(plain), wanted.collation.as_deref().map(plain)) {
        (_, None) | (None, Some(_)) => true,
        // No value of a CHAR ends with spaces.
        (Some(a), Some(_)) if matches!(wanted.ty, ColumnType::Char { .. }) && a.ends_with("_bin") => true,
        (Some(a), Some(w)) => a == w || is_finest(&a, &w),
    }
}

/// Whether values that are equal in the destination's column, as a unique key compares them, are so in the source's.
pub(crate) fn tells_apart_in_unique_key(actual: &Actual, wanted: &Column) -> bool {
    use ColumnType::{Char, Text, Varchar};
    if !holds(actual, wanted, false) {
        return false;
    }
    if !matches!(wanted.ty, Char { .. } | Varchar { .. } | Text { .. }) {
        return true;
    }
    match (actual.collation.as_deref().map(plain), wanted.collation.as_deref().map(plain)) {
        (Some(a), Some(w)) => a == w || is_finest(&a, &w),
        (None, _) | (_, None) => false,
    }
}

/// By bytes; but most such collations take no notice of spaces at the end, which those of Unicode 9 do.
fn is_finest(actual: &str, wanted: &str) -> bool {
    actual.ends_with("_0900_bin") || actual.ends_with("_bin") && !wanted.contains("_0900_")
}

/// `utf8` is an old name of `utf8mb3`.
fn plain(name: &str) -> String {
    match name.strip_prefix("utf8") {
        Some(rest) if rest.is_empty() || rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name.to_owned(),
    }
}

/// Whether both have a collation and they are not the same.
pub(crate) fn differs_in_collation(actual: &Actual, wanted: &Column) -> bool {
    match (&actual.collation, &wanted.collation) {
        (Some(a), Some(w)) => plain(a) != plain(w),
        (None, _) | (_, None) => false,
    }
}
