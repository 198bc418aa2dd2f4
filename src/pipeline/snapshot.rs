//! `cdc snapshot`: tells a running source what to read, and shows how far it is.

use std::time::Duration;

use cdc_mysql_source::{Again, TableProgress, TableState};
use cdc_sdk::Result;
use serde_json::{Value as Json, json};
use tokio::task::block_in_place;

use super::control::{Command, Desk};
use super::cut_writer::OwnTopics;
use super::recovery::{self, Recovered};
use super::settings;
use crate::config::SourceConfig;

/// What to tell a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Read tables once more.
    Read {
        /// Which.
        tables: Vec<String>,
        /// Of one table, only the rows for which this holds.
        condition: Option<String>,
        /// Sinks empty the tables first.
        empty_first: bool,
    },
    /// Begin no more chunks.
    Pause,
    /// Go on after a pause.
    Resume,
    /// End the snapshots that were asked for.
    Stop,
}

/// Tells the source, and says what became of it.
pub async fn tell(config: &SourceConfig, wish: Wish, wait: Duration) -> Result<String> {
    let desk = Desk { kafka: &config.kafka, registry: &config.registry, prefix: &config.topic_prefix };
    let command = match wish {
        Wish::Read { tables, condition, empty_first } => {
            Command::Snapshot { tables, condition, empty_first, sink: None }
        }
        Wish::Pause => Command::Pause {},
        Wish::Resume => Command::Resume {},
        Wish::Stop => Command::Stop {},
    };
    let answer = desk.ask(&command, wait).await?;
    let cut = answer.cut_id().unwrap_or_default();
    let mut text = format!("{} (cut {cut})\n", answer.text);
    for (database, table) in &answer.tables {
        text += &format!("  {database}.{table}\n");
    }
    Ok(text)
}

/// How far the snapshots of a source are, as it stored it: it need not run.
pub async fn show(config: &SourceConfig, as_json: bool) -> Result<String> {
    let topics = OwnTopics::of(&config.topic_prefix);
    let recovered = block_in_place(|| recovery::stored(&settings::kafka(&config.kafka), &topics))?;
    Ok(if as_json { shown_json(&recovered) } else { shown(&config.name, &recovered) })
}

fn shown_json(recovered: &Recovered) -> String {
    let table = |p: &TableProgress| {
        // Its stored form, with its version.
        serde_json::from_str::<Json>(&p.to_json()).unwrap_or_default()
    };
    let tables: Vec<Json> = recovered.snapshot.iter().map(table).collect();
    let taken = &recovered.taken;
    let json = json!({ "version": 1, "paused": taken.paused, "sinks": taken.sinks, "tables": tables });
    format!("{json:#}\n")
}

fn shown(name: &str, recovered: &Recovered) -> String {
    let done = recovered.snapshot.iter().filter(|p| matches!(p.state, TableState::Done { .. })).count();
    let all = recovered.snapshot.len();
    let paused = if recovered.taken.paused { ", paused" } else { "" };
    let mut text = format!("snapshots of source '{name}': {done} of {all} tables are read{paused}\n");
    for sink in &recovered.taken.sinks {
        text += &format!("  for sink '{sink}' alone: under way\n");
    }
    for progress in &recovered.snapshot {
        let far = match &progress.state {
            TableState::Done { .. } => continue,
            TableState::Pending => "waits".to_owned(),
            TableState::Reading { after: None, .. } => "begins again".to_owned(),
            TableState::Reading { after: Some(_), rows } => format!("{rows} rows read"),
        };
        text += &format!("  {}: {far}{}\n", progress.table, why(progress.again.as_ref()));
    }
    text
}

fn why(again: Option<&Again>) -> String {
    let Some(Again { condition, empty_first, addressee }) = again else { return String::new() };
    let mut text = ", once more".to_owned();
    if let Some(condition) = condition {
        text += &format!(", where {condition}");
    }
    match addressee {
        Some(sink) => text += &format!(", for sink '{sink}' alone"),
        None if *empty_first => text += ", emptied first",
        None => {}
    }
    text
}

#[cfg(test)]
mod tests;
