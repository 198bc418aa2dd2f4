//! Collations by number. The log names a column's character set by the number of
//! its collation; numbers of newer collations differ between servers, so they are
//! read from the server (`information_schema.collations`) and not built in.

use std::collections::HashMap;

/// The number of the collation `binary`: bytes, not text. It is the same on every
/// server (`my_charset_bin`).
pub(crate) const BINARY: u32 = 63;

/// A collation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collation {
    /// Its name: `utf8mb4_0900_ai_ci`.
    pub name: String,
    /// The name of its character set: `utf8mb4`.
    pub charset: String,
    /// Most bytes of a character (`information_schema.character_sets.maxlen`).
    pub maxlen: u8,
}

/// The collations of a server, by number.
#[derive(Clone, Debug, Default)]
pub struct Collations(HashMap<u32, Collation>);

impl Collations {
    /// The collation of this number.
    pub fn get(&self, id: u32) -> Option<&Collation> {
        self.0.get(&id)
    }
}

impl FromIterator<(u32, Collation)> for Collations {
    fn from_iter<I: IntoIterator<Item = (u32, Collation)>>(collations: I) -> Self {
        Self(collations.into_iter().collect())
    }
}
