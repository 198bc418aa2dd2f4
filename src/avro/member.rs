//! Texts of ENUM and SET members, both ways.

use std::collections::HashMap;

use cdc_sdk::fail::planted;

/// The members of a column, ready to be written and read.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// By index. ENUM: 0 is the error value, then the members. SET: the members, lowest bit first.
    texts: Vec<String>,
    by_text: HashMap<String, u16>,
}

impl Members {
    /// Those of an ENUM. The error value, index 0, is `''`. With `distinct`, a text
    /// that is taken already is followed by U+0000 until it is not, so that every
    /// index comes back: that of the error value beside a member `''`, and that
    /// of a member that is there twice.
    pub(super) fn of_enum(members: &[String], distinct: bool) -> Self {
        let mut all = Self::default();
        for (index, member) in (1..).zip(members) {
            all.set(index, member, distinct);
        }
        all.set(0, "", distinct);
        let error = all.texts.pop().unwrap_or_default();
        all.texts.insert(0, error);
        if !distinct {
            all.know_escaped(members);
        }
        all
    }

    /// Those of a SET. With `distinct`, a member `''` is told apart from no member.
    pub(super) fn of_set(members: &[String], distinct: bool) -> Self {
        let mut all = Self::default();
        for (bit, member) in (0..).zip(members) {
            let taken = distinct && member.is_empty();
            all.set(bit, if taken { "\0" } else { member }, distinct);
        }
        all
    }

    /// Debezium writes the member `a,b` as `a\,b` where it read it in the binlog (3.6.1).
    fn know_escaped(&mut self, members: &[String]) {
        for (index, member) in (1..).zip(members).filter(|(_, member)| member.contains(',')) {
            self.by_text.entry(member.replace(',', "\\,")).or_insert(index);
        }
    }

    fn set(&mut self, index: u16, text: &str, distinct: bool) {
        let mut text = text.to_owned();
        while distinct && self.by_text.contains_key(&text) {
            text.push('\0');
        }
        self.by_text.entry(text.clone()).or_insert(index);
        self.texts.push(text);
    }

    pub(super) fn text(&self, index: u16) -> Option<&str> {
        self.texts.get(usize::from(index)).map(String::as_str)
    }

    pub(super) fn index(&self, text: &str) -> Option<u16> {
        self.by_text.get(text).copied()
    }

    /// Appends the members of a SET with commas between them; `None` if a bit has no member.
    pub(super) fn join(&self, mut bits: u64, out: &mut Vec<u8>) -> Option<()> {
        bits &= if planted("codec.set_64") { u64::MAX >> 1 } else { u64::MAX };
        let mut first = true;
        while bits != 0 {
            let text = self.texts.get(bits.trailing_zeros() as usize)?;
            if !first {
                out.push(b',');
            }
            out.extend_from_slice(text.as_bytes());
            first = false;
            bits &= bits - 1;
        }
        Some(())
    }

    /// The bits of a SET's text; `None` if a part is no member.
    pub(super) fn bits(&self, text: &str) -> Option<u64> {
        if text.is_empty() && !self.by_text.contains_key("") {
            return Some(0);
        }
        text.split(',').try_fold(0u64, |bits, part| {
            let index = self.by_text.get(part)?;
            Some(bits | 1u64.checked_shl(u32::from(*index))?)
        })
    }
}

#[cfg(test)]
mod tests;
