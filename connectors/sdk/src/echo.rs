//! By what a source knows the transactions of a sink, where data goes both ways.
//!
//! A sink whose destination is captured, too, commits under tagged GTIDs
//! (`SET gtid_next = 'AUTOMATIC:tag'`, MySQL 8.3 or later). The source there sees the tag
//! before any row, and does not send back what came from the other side.

/// What tags of sinks begin with.
pub const PREFIX: &str = "cdc_";

/// Letters of a tag at most (MySQL manual, "GTID Format and Storage").
const LETTERS_MAX: usize = 32;

/// The tag of a sink's transactions: `cdc_` and its name, where that is what a tag may be, else with
/// a hash of it.
pub fn tag(sink: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let room = LETTERS_MAX - PREFIX.len();
    if sink.len() <= room && sink.chars().all(plain) && !is_hashed(sink) {
        return format!("{PREFIX}{sink}");
    }
    let kept: String =
        sink.chars().map(|c| if plain(c) { c } else { '_' }).take(room - HASH_LETTERS).collect();
    format!("{PREFIX}{kept}_{:016x}", hash(sink.as_bytes()))
}

/// An underscore and 16 hexadecimal digits.
const HASH_LETTERS: usize = 17;

/// A name that looks as if it had been hashed is hashed, so that no two names have one tag.
fn is_hashed(sink: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    sink.rsplit_once('_').is_some_and(|(_, tail)| tail.len() == HASH_LETTERS - 1 && tail.chars().all(hex))
}

/// FNV-1a, 64 bits: the same in every build and for ever.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_mysql_takes() {
        assert_eq!(tag("crm"), "cdc_crm");
        assert_eq!(tag("crm-2"), "cdc_crm_2_f96dbb9efeee3c14");
        for name in ["CRM", "crm.eu", "a_name_that_is_quite_a_bit_too_long_for_a_tag", "crm_7f1bbe3e8b2b8a0a"]
        {
            let tag = tag(name);
            assert!(tag.len() <= LETTERS_MAX && tag != format!("cdc_{name}"), "{tag}");
            assert!(tag.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{tag}");
        }
    }
}
