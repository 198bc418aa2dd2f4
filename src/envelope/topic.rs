//! How a table's topic is called.

use cdc_sdk::TableName;

/// Kafka's limit on the length of a topic's name.
const LENGTH_MAX: usize = 249;

/// `<prefix>.<database>.<table>`, made legal as Debezium does: what Kafka forbids
/// becomes `_` (one for each UTF-16 unit), and the name ends after 249 characters.
///
/// Two tables may thus get one name. The caller must refuse that.
pub fn topic_name(prefix: &str, table: &TableName) -> String {
    let whole = format!("{prefix}.{}.{}", table.database, table.table);
    let units = whole.chars().flat_map(|c| std::iter::repeat_n(legal(c), c.len_utf16()));
    units.take(LENGTH_MAX).collect()
}

fn legal(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' }
}

#[cfg(test)]
mod tests;
