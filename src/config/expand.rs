//! `${VAR}` and `$$` in values.
//!
//! A dollar that is neither is refused rather than guessed at: `$HOME` without
//! braces would otherwise reach a server as a literal password.

use std::collections::BTreeMap;

/// The text with every `${NAME}` replaced by that variable and every `$$` by `$`.
/// What is put in is not expanded again.
///
/// # Errors
/// Says what is wrong by the variable's name, never by its value or the text around it.
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (name, after) = after.split_once('}').ok_or("a '${' is not closed by '}'")?;
            out.push_str(variable(name, variables)?);
            rest = after;
        } else {
            return Err("a '$' stands alone: write '$$' for a dollar, '${NAME}' for a variable".to_owned());
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn variable<'v>(name: &str, variables: &'v BTreeMap<String, String>) -> Result<&'v str, String> {
    let legal = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !legal {
        return Err("what stands in '${…}' is not the name of a variable".to_owned());
    }
    variables.get(name).map(String::as_str).ok_or_else(|| format!("the environment has no variable '{name}'"))
}

#[cfg(test)]
mod tests;
