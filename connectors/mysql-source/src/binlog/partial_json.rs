//! PARTIAL_UPDATE_ROWS (`binlog_row_value_options = PARTIAL_JSON`): an after image may hold, in place
//! of a JSON value, how it differs from the one in the before image. Here such images become
//! whole ones, so that nothing behind knows of it.

use super::event::table_map::bit;
use super::reader::{Malformed, Reader};
use crate::decode::{self, Codec, Extent, Layout};

/// Flag of an after image: it says which of its JSON columns hold differences.
const HOLDS_DIFFERENCES: u64 = 1;

/// Which JSON columns of the after image that follows hold differences, a bit for each; `json` is how
/// many the table has. None of them where there are no bits.
pub(crate) fn read_bits<'a>(json: usize, reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let options = reader.packed()?;
    reader.take(if options & HOLDS_DIFFERENCES == 0 { 0 } else { json.div_ceil(8) })
}

/// The after images of all rows, one behind the other, made whole. `rows` has both images of each
/// row, with all columns there; `json` of these are of JSON.
pub(crate) fn whole_after_images(rows: &[u8], layouts: &[Layout], json: usize) -> Result<Vec<u8>, Malformed> {
    let mut reader = Reader::new(rows);
    let mut whole = Vec::new();
    let mut before = Vec::with_capacity(json);
    while !reader.is_empty() {
        json_values(&mut reader, layouts, &mut before)?;
        let bits = read_bits(json, &mut reader)?;
        after_image(&mut reader, layouts, (&before, bits), &mut whole)?;
    }
    Ok(whole)
}

/// Walks over an image and takes out its JSON values.
fn json_values<'a>(
    reader: &mut Reader<'a>,
    layouts: &[Layout],
    values: &mut Vec<Option<&'a [u8]>>,
) -> Result<(), Malformed> {
    values.clear();
    let nulls = reader.take(layouts.len().div_ceil(8))?;
    for (index, layout) in layouts.iter().enumerate() {
        let value = if bit(nulls, index) { None } else { Some(layout.extent.take(reader)?) };
        if is_json(layout) {
            values.push(value);
        }
    }
    Ok(())
}

fn is_json(layout: &Layout) -> bool {
    matches!(layout.codec, Codec::Json { .. })
}

fn after_image(
    reader: &mut Reader<'_>,
    layouts: &[Layout],
    (before, bits): (&[Option<&[u8]>], &[u8]),
    whole: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let nulls = reader.take(layouts.len().div_ceil(8))?;
    whole.extend_from_slice(nulls);
    let mut json = 0;
    for (index, layout) in layouts.iter().enumerate() {
        let differs = is_json(layout) && bit(bits, json);
        let document = before.get(json).copied().flatten();
        json += usize::from(is_json(layout));
        if bit(nulls, index) {
            continue;
        }
        let from = reader.rest();
        let bytes = layout.extent.take(reader)?;
        if !differs {
            whole.extend_from_slice(from.get(..from.len() - reader.len()).unwrap_or_default());
            continue;
        }
        let document = document.ok_or(Malformed("a JSON value differs from one that is NULL"))?;
        let value = decode::patched(document, bytes)?;
        let Extent::Prefixed(prefix) = layout.extent else {
            return Err(Malformed("a JSON value has no length"));
        };
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes();
        let (length, over) = length.split_at_checked(prefix).ok_or(Malformed("a length is too long"))?;
        if over.iter().any(|byte| *byte != 0) {
            return Err(Malformed("a JSON value is too long"));
        }
        whole.extend_from_slice(length);
        whole.extend_from_slice(&value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
