//! What this run has learned of tables, which neither the source's definition nor the catalogue tells.

use std::collections::{HashMap, HashSet};

use cdc_sdk::table::{KeyKind, KeyOn};
use cdc_sdk::{Key, Table, TableName, expression};

use super::catalogue::{ActualKey, ActualPart};

/// What this run has learned.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// The unique keys that tables of the source have had.
    keys: HashMap<TableName, HashSet<String>>,
    /// Expressions of the source that the destination spells in another way: its spelling is the second.
    spellings: HashSet<(String, String)>,
}

impl Past {
    /// Notes the unique keys of a shape of a table.
    pub fn note(&mut self, table: &Table) {
        let unique = table.keys.iter().filter(|k| k.kind == KeyKind::Unique);
        let signs: Vec<String> = unique.filter_map(|key| sign_of(table, key)).collect();
        if !signs.is_empty() {
            self.keys.entry(table.name.clone()).or_default().extend(signs);
        }
    }

    /// Whether some shape of the source's table had this key of the destination's.
    pub fn had(&self, table: &TableName, key: &ActualKey) -> bool {
        let Some(sign) = sign(&key.name, key.parts.iter().map(ActualPart::column)) else { return false };
        self.keys.get(table).is_some_and(|keys| keys.contains(&sign))
    }

    /// Takes two texts for the same expression from now on.
    pub fn accept(&mut self, spellings: Vec<(String, String)>) {
        self.spellings.extend(spellings);
    }

    /// Whether two texts are the same expression.
    pub fn is_alike(&self, theirs: &str, ours: &str) -> bool {
        plain(theirs) == plain(ours) || self.spellings.contains(&(theirs.to_owned(), ours.to_owned()))
    }
}

fn sign_of(table: &Table, key: &Key) -> Option<String> {
    let columns = key.parts.iter().map(|part| match part.on {
        KeyOn::Column(index) => table.columns.get(index).map(|c| c.name.as_str()),
        KeyOn::Expression(_) => None,
    });
    sign(&key.name, columns)
}

/// The key's name and columns as one text; `None` for keys on expressions, which servers spell in their own ways.
fn sign<'n>(name: &str, columns: impl Iterator<Item = Option<&'n str>>) -> Option<String> {
    let mut sign = name.to_lowercase();
    for column in columns {
        sign.push('\0');
        sign.push_str(&column?.to_lowercase());
    }
    Some(sign)
}

/// The expression without what versions of MySQL spell in their own ways: space, case, parentheses around all of it, and
/// the character set before a literal.
fn plain(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len());
    for piece in expression::pieces(expression) {
        match piece.quote {
            Some(_) => {
                without_introducer(&mut out);
                out.push_str(piece.text);
            }
            None => {
                let letters = piece.text.chars().filter(|letter| !letter.is_whitespace());
                out.extend(letters.flat_map(char::to_lowercase));
            }
        }
    }
    without_parentheses(&out).to_owned()
}

fn without_introducer(out: &mut String) {
    for introducer in ["_utf8mb4", "_utf8mb3", "_utf8", "_latin1"] {
        if out.ends_with(introducer) {
            out.truncate(out.len() - introducer.len());
            return;
        }
    }
}

fn without_parentheses(mut text: &str) -> &str {
    while let Some(inside) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let mut depth = 0_i32;
        // `(a)+(b)`: those at its ends are not a pair. Those in quotes come in pairs, or the text stays as it is.
        let is_pair = inside.chars().all(|letter| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            depth >= 0
        });
        if !is_pair || depth != 0 {
            return text;
        }
        text = inside;
    }
    text
}
