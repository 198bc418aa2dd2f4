//! One line on the terminal that says how it goes.
//!
//! It is drawn on stderr, and only where that is a terminal. Log lines go through
//! [`ProgressLine::print`], which takes the line off the screen first.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::state::State;
use super::status::{Status, seconds_text};
use super::view::View;

/// The line; hidden where stderr is no terminal. Clones draw the same line.
#[derive(Clone, Debug)]
pub struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    /// A line on stderr that shows nothing yet.
    pub fn on_stderr() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Writes to stderr without tearing the line.
    pub fn print(&self, text: &[u8]) -> std::io::Result<()> {
        self.bar.suspend(|| std::io::stderr().lock().write_all(text))
    }

    /// Shows the pipeline's state now.
    pub(super) fn show(&self, view: &View) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_message(line(&view.status()));
        self.bar.tick();
    }

    /// Takes the line off the screen.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// A background task that samples the rates each second and draws the line, until it is dropped.
#[derive(Debug)]
pub(super) struct Ticker(tokio::task::JoinHandle<()>);

impl Ticker {
    pub(super) fn start(view: Arc<View>, line: ProgressLine) -> Self {
        Self(tokio::spawn(async move {
            let mut each = tokio::time::interval(Duration::from_secs(1));
            each.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                each.tick().await;
                view.tick();
                line.show(&view);
            }
        }))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn line(status: &Status) -> String {
    let head = format!("{} {}", status.role, status.name);
    if let Some(reason) = &status.reason {
        return format!("{head}: {}: {reason}", status.state);
    }
    let rate = format!("{:.0} rows/s", status.rows_per_second);
    match &status.snapshot {
        Some(snapshot) if status.state == State::Snapshot.word() => {
            format!("{head}: snapshot: {snapshot}, {rate}")
        }
        Some(_) | None => {
            let lag = status.lag_seconds.map_or_else(|| "not known".to_owned(), seconds_text);
            let state = status.state.replace('_', " ");
            format!("{head}: {state}, {rate}, lag {lag}, {} rows", status.rows)
        }
    }
}

#[cfg(test)]
mod tests;
