//! Rows as parts of statements.

use cdc_sdk::value::{Row, Value};
use cdc_sdk::{Error, Kind, Result};

use super::literal::{self, Form};
use crate::tables::{Comparison, Plan, Right};

/// Appends `(v1,v2,…)` with the values of the written columns.
pub(super) fn tuple<R: Row>(out: &mut Vec<u8>, plan: &Plan, row: &R) -> Result<()> {
    out.push(b'(');
    let first = out.len();
    let mut seen = 0;
    row.visit(|index, value| {
        in_order(plan, index, &mut seen)?;
        if let Some(Some(form)) = plan.forms.get(index) {
            separate(out, first, b",");
            literal::write(out, value, form).map_err(|e| e.at(place(plan, index)))?;
        }
        Ok(())
    })?;
    complete(plan, seen)?;
    out.push(b')');
    Ok(())
}

/// Appends the row's key: its value where keys stand in a list, else `(c1=v1 AND c2=v2)`.
pub(crate) fn key<R: Row>(out: &mut Vec<u8>, plan: &Plan, row: &R) -> Result<()> {
    let by_column = !plan.sql.delete_in_list;
    if by_column {
        out.push(b'(');
    }
    let first = out.len();
    let mut seen = 0;
    row.visit(|index, value| {
        in_order(plan, index, &mut seen)?;
        if let Some((_, name)) = plan.sql.key.iter().find(|(at, _)| *at == index) {
            if matches!(value, Value::Null) {
                return Err(Error::new(
                    Kind::RowMismatch,
                    format!("a row of {} has NULL in its key", plan.target),
                )
                .hint("the source needs binlog_row_image=FULL"));
            }
            if by_column {
                separate(out, first, b" AND ");
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
            }
            comparable(out, plan, index, value)?;
        }
        Ok(())
    })?;
    complete(plan, seen)?;
    if by_column {
        out.push(b')');
    }
    Ok(())
}

/// Appends `c1 <=> v1 AND …`: true for rows that are equal in every written column, byte for byte.
pub(crate) fn condition<R: Row>(out: &mut Vec<u8>, plan: &Plan, row: &R) -> Result<()> {
    let first = out.len();
    compare(out, plan, row, |out, _, left, right| {
        separate(out, first, b" AND ");
        out.extend_from_slice(left);
        out.extend_from_slice(b" <=> ");
        out.extend_from_slice(right);
    })
}

/// Calls for each written column with what must stand to the left and to the right of a comparison, so
/// that values compare by their bytes.
pub(crate) fn compare<R: Row>(
    out: &mut Vec<u8>,
    plan: &Plan,
    row: &R,
    mut each: impl FnMut(&mut Vec<u8>, usize, &[u8], &[u8]),
) -> Result<()> {
    let mut seen = 0;
    let mut right = Vec::new();
    row.visit(|index, value| {
        in_order(plan, index, &mut seen)?;
        let (Some(Some(form)), Some(comparison)) = (plan.forms.get(index), plan.comparisons.get(index))
        else {
            return Ok(());
        };
        right.clear();
        right_side(&mut right, comparison, value, form).map_err(|e| e.at(place(plan, index)))?;
        each(out, index, comparison.left.as_bytes(), &right);
        Ok(())
    })?;
    complete(plan, seen)
}

/// Appends `(k1=v1 AND k1 <=> v1 AND …)`: the row by its key, so that the index finds it, where the key is
/// the same byte for byte.
pub(crate) fn exact_key<R: Row>(out: &mut Vec<u8>, plan: &Plan, row: &R) -> Result<()> {
    out.push(b'(');
    let first = out.len();
    let mut seen = 0;
    row.visit(|index, value| {
        in_order(plan, index, &mut seen)?;
        let name = plan.sql.key.iter().find(|(at, _)| *at == index).map(|(_, name)| name);
        let (Some(name), Some(comparison)) = (name, plan.comparisons.get(index)) else { return Ok(()) };
        separate(out, first, b" AND ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        comparable(out, plan, index, value)?;
        out.extend_from_slice(b" AND ");
        out.extend_from_slice(comparison.left.as_bytes());
        out.extend_from_slice(b" <=> ");
        right_side(out, comparison, value, plan.form(index)).map_err(|e| e.at(place(plan, index)))
    })?;
    complete(plan, seen)?;
    out.push(b')');
    Ok(())
}

/// Appends the values of the key's columns that are not text.
pub(crate) fn plain_key<R: Row>(out: &mut Vec<u8>, plan: &Plan, row: &R) -> Result<()> {
    let mut seen = 0;
    row.visit(|index, value| {
        in_order(plan, index, &mut seen)?;
        let in_key = plan.sql.key.iter().any(|(at, _)| *at == index);
        let is_text = plan.comparisons.get(index).is_some_and(|c| c.right == Right::TextBytes);
        if in_key && !is_text {
            comparable(out, plan, index, value)?;
            out.push(b',');
        }
        Ok(())
    })?;
    complete(plan, seen)
}

/// Appends a value of a column as it stands in a comparison.
fn comparable(out: &mut Vec<u8>, plan: &Plan, index: usize, value: Value<'_>) -> Result<()> {
    literal::comparable(out, value, plan.form(index)).map_err(|e| e.at(place(plan, index)))
}

/// Appends what stands to the right of a comparison by bytes.
fn right_side(out: &mut Vec<u8>, comparison: &Comparison, value: Value<'_>, form: &Form) -> Result<()> {
    let mut scratch = String::new();
    match (comparison.right, form.stored(value, &mut scratch)?) {
        (Right::TextBytes, Value::Text(text)) => literal::binary(out, text.as_bytes()),
        (Right::Json, Value::Json(_) | Value::Text(_)) => {
            out.extend_from_slice(b"CAST(");
            literal::comparable(out, value, form)?;
            out.extend_from_slice(b" AS JSON)");
        }
        (Right::Plain | Right::TextBytes | Right::Json, _) => literal::comparable(out, value, form)?,
    }
    Ok(())
}

fn place(plan: &Plan, index: usize) -> String {
    format!("column {}", plan.names.get(index).map_or("?", String::as_str))
}

/// The row's key for an error message, cut where it is long.
pub(crate) fn shown_key<R: Row>(plan: &Plan, row: &R) -> String {
    const CHARS_MAX: usize = 200;
    let mut out = Vec::new();
    let written = match plan.identity.is_empty() {
        true => tuple(&mut out, plan, row),
        false => key(&mut out, plan, row),
    };
    let text = String::from_utf8_lossy(&out);
    let more = if text.chars().count() > CHARS_MAX { "…" } else { "" };
    match written {
        Ok(()) => format!("{}{more}", text.chars().take(CHARS_MAX).collect::<String>()),
        Err(_) => "(unreadable)".into(),
    }
}

fn separate(out: &mut Vec<u8>, first: usize, separator: &[u8]) {
    if out.len() > first {
        out.extend_from_slice(separator);
    }
}

fn in_order(plan: &Plan, index: usize, seen: &mut usize) -> Result<()> {
    if index != *seen {
        return Err(mismatch(plan, index));
    }
    *seen += 1;
    Ok(())
}

fn complete(plan: &Plan, seen: usize) -> Result<()> {
    if seen == plan.forms.len() { Ok(()) } else { Err(mismatch(plan, seen)) }
}

fn mismatch(plan: &Plan, index: usize) -> Error {
    Error::new(
        Kind::RowMismatch,
        format!(
            "a row for {} has not the {} columns of its table: see column {index}",
            plan.target,
            plan.forms.len()
        ),
    )
}
