//! Results to stdout, errors to stderr.

use std::io::{self, Write};

use cdc_sdk::{Error, Kind, Result};

use super::outcome::Outcome;
use crate::observe::LogFormat;

/// Prints a result, with a newline at its end.
///
/// # Errors
/// [`Kind::Usage`]: stdout takes no more. A reader that has gone (`| head`) is no error.
pub(super) fn text(text: &str) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Ok(()) => Ok(Outcome::Done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Done),
        Err(error) => Err(Error::new(Kind::Usage, "the result cannot be written to stdout").caused_by(error)),
    }
}

/// Prints an error in the format of the logs.
pub(super) fn report(error: &Error, format: LogFormat) {
    // Where no log would show it, it is printed.
    if format == LogFormat::Json && tracing::enabled!(tracing::Level::ERROR) {
        let code = error.kind().code();
        tracing::error!(code, hint = error.hint_text().unwrap_or_default(), "{error}");
        return;
    }
    // If stderr is gone, the exit code is all that is left to say.
    let _ = writeln!(io::stderr(), "{error}");
}
