//! JSON whose properties keep their order, for schemas that other programs
//! compare as text.

use std::fmt::Write;

/// A JSON value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(i64),
    Double(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// Already JSON.
    Raw(String),
}

impl Json {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn object<const N: usize>(properties: [(&str, Json); N]) -> Self {
        Self::Object(properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Writes it without white space.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) => append(out, format_args!("{value}")),
            Self::Double(value) => append(out, format_args!("{value:?}")),
            Self::Text(text) => write_text(out, text),
            Self::Raw(json) => out.push_str(json),
            Self::Array(items) => {
                out.push('[');
                write_separated(out, items, |out, item| item.write(out));
                out.push(']');
            }
            Self::Object(properties) => {
                out.push('{');
                write_separated(out, properties, |out, (name, value)| {
                    write_text(out, name);
                    out.push(':');
                    value.write(out);
                });
                out.push('}');
            }
        }
    }
}

fn write_separated<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => append(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Writing to a `String` cannot fail.
fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
