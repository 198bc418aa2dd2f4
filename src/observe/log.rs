//! Logs: to stderr, text for people or JSON for machines.

use std::io::{self, IsTerminal, Write};

use cdc_sdk::{Error, Kind, Result};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::progress::ProgressLine;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends the logs of this process to stderr. `level` is `error`, `warn`, `info`, `debug`,
/// `trace`, or a filter such as `info,rdkafka=debug`.
///
/// # Errors
/// [`Kind::Usage`]: the level is none, or logs were set up before.
pub fn init(format: LogFormat, level: &str, line: &ProgressLine) -> Result<()> {
    let filter = filter(level)?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines(line.clone()))
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    }
    .map_err(|e| Error::new(Kind::Bug, "logs cannot be set up twice").caused_by(e))
}

/// A filter takes any word as the name of a part of the program, so that `--log-level verbose`
/// would log nothing: a word by itself must be a level.
fn filter(level: &str) -> Result<EnvFilter> {
    let refused = || {
        Error::new(Kind::Usage, format!("--log-level: '{level}' is not a level"))
            .hint("one of off, error, warn, info, debug, trace, or a filter such as info,rdkafka=debug")
    };
    let alone = level.split(',').map(str::trim).filter(|part| !part.contains(['=', '[']));
    if level.trim().is_empty()
        || alone.into_iter().any(|part| part.is_empty() || part.parse::<LevelFilter>().is_err())
    {
        return Err(refused());
    }
    EnvFilter::try_new(level).map_err(|e| refused().caused_by(e))
}

/// Writes each line past the progress line.
struct Lines(ProgressLine);

impl<'w> MakeWriter<'w> for Lines {
    type Writer = LineWriter<'w>;

    fn make_writer(&'w self) -> Self::Writer {
        LineWriter(&self.0)
    }
}

/// Takes one event; the formatter hands each over in one piece.
struct LineWriter<'w>(&'w ProgressLine);

impl Write for LineWriter<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.print(text)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests;
