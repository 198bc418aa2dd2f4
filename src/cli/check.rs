//! `cdc check`: what must be mended before a pipeline runs.

use std::path::Path;

use cdc_sdk::{Finding, Result};

use super::outcome::Outcome;
use super::output;
use super::pipeline;
use crate::config::Config;

/// Checks the file, the servers that it names, and prints what was found.
pub(super) async fn run(file: &Path) -> Result<Outcome> {
    let findings = match Config::load(file)? {
        Config::Source(config) => pipeline::check::source(&config).await?,
        Config::Sink(config) => pipeline::check::sink(&config).await?,
    };
    output::text(&report(&findings))?;
    Ok(if findings.iter().any(|f| f.blocks) { Outcome::Unfit } else { Outcome::Done })
}

/// What must be mended first, then what should be known.
fn report(findings: &[Finding]) -> String {
    let (must, warn): (Vec<_>, Vec<_>) = findings.iter().partition(|f| f.blocks);
    let mut text: String = must.iter().chain(&warn).map(|f| format!("{f}\n")).collect();
    text += &match (must.len(), warn.len()) {
        (0, 0) => "fit to run\n".to_owned(),
        (0, warnings) => format!("fit to run; to be known: {warnings}\n"),
        (blocking, warnings) => {
            format!("not fit to run; to be mended: {blocking}, to be known: {warnings}\n")
        }
    };
    text
}

#[cfg(test)]
mod tests;
