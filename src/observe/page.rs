//! The status page: the same lines as `cdc status`, for a browser.

use std::fmt::Write;

use super::status::Status;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta http-equiv=\"refresh\" content=\"2\"><meta name=\"viewport\" content=\"width=device-width\">\
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;\
border-bottom:1px solid #8884}th{white-space:nowrap;font-weight:600}td{white-space:pre-wrap;overflow-wrap:anywhere}\
:root{color-scheme:light dark}</style>";

/// The page; every value is escaped.
pub(super) fn render(status: &Status) -> String {
    let title = escape(&format!("cdc {} {}", status.role, status.name));
    let mut rows = String::new();
    for (label, value) in status.lines() {
        // A text in memory takes everything.
        let _ = writeln!(rows, "<tr><th>{}</th><td>{}</td></tr>", escape(label), escape(&value));
    }
    format!(
        "{HEAD}<title>{title}</title></head><body><h1>{title}</h1><table>\n{rows}</table>\
         <p><a href=\"/metrics\">metrics</a></p></body></html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests;
