//! `cdc snapshot`: tells a running source what to read, and shows how far it is.

use std::time::Duration;

use cdc_mysql_sink::{LedgerAdmin, Mark, Move, Running};
use cdc_mysql_source::{Again, TableProgress, TableState};
use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Error, Kind, Result, TableName};
use serde_json::{Value as Json, json};
use tokio::task::block_in_place;

use super::control::{Answer, Command, Desk, GivenUp};
use super::cut_search::{self, Found, Map, Wanted};
use super::cut_writer::OwnTopics;
use super::filling;
use super::ledger_move;
use super::recovery::{self, Recovered};
use super::settings;
use crate::config::{SinkConfig, SourceConfig};
use crate::kafka::Admin;

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

/// Asks for a snapshot for one sink alone, and sets its ledger to where that begins.
pub async fn for_sink(config: &SinkConfig, wait: Duration, dry_run: bool) -> Result<String> {
    if config.two_way.is_some() {
        return Err(Error::new(
            Kind::Settings,
            "with [two_way] the destination has rows of its own: its tables are not emptied",
        )
        .hint("restore the destination with its ledger from a backup, or begin anew in one direction"));
    }
    ledger_move::refuse_by_key(config, "a snapshot for one sink")?;
    let ledger = settings::sink(config);
    LedgerAdmin::refuse_running(&ledger).await?;
    if dry_run {
        return Ok(format!(
            "sink '{}': all tables that it follows will be emptied, and filled anew\n",
            config.name
        ));
    }
    let desk = Desk { kafka: &config.kafka, registry: &config.registry, prefix: &config.topic_prefix };
    let command = Command::Snapshot {
        tables: vec![EVERY_TABLE.to_owned()],
        condition: None,
        empty_first: true,
        sink: Some(config.name.clone()),
    };
    let answer = desk.ask(&command, wait).await.map_err(|error| match error.kind() {
        Kind::NoAnswer => passed_over(error),
        _ => error,
    })?;
    let cut = fill_from(config, &answer).await.map_err(passed_over)?;
    Ok(format!(
        "{} (cut {cut})\nStart the sink: it empties these tables and fills them while it follows the source. Until all \
         are through, its destination is no state that the source had.\n",
        answer.text
    ))
}

/// Sets the ledger behind the cut in which the source took the request.
async fn fill_from(config: &SinkConfig, answer: &Answer) -> Result<CutId> {
    let found = begins_behind(config, answer.cut_id().unwrap_or_default())?;
    let tables: Vec<TableName> = answer.tables.iter().map(|(d, t)| TableName::new(d, t)).collect();
    let (cut, mark) = (found.cut.id, found.mark());
    let mut places = present_places(config, found.map).await?;
    places.extend(filling::beginning(&config.topic_prefix, &config.name, &tables));
    let to = Move::Fill(Mark { places, ..mark });
    LedgerAdmin::set(&settings::sink(config), &to, Running::Refused, "cdc snapshot --for-me").await?;
    Ok(cut)
}

/// What the source reads for a sink whose ledger was not set is passed over by it (`filling.rs`).
fn passed_over(error: Error) -> Error {
    let before = error.hint_text().map_or_else(String::new, |hint| format!("{hint}; "));
    error.hint(format!(
        "{before}the ledger was not set, so the sink goes on from where it was and passes over what the source reads for \
         it: then ask again (cdc snapshot -c FILE --for-me)"
    ))
}

/// Every table that the source captures.
const EVERY_TABLE: &str = "*.*";

/// The cut in which the source took the request, with the map that holds behind it.
fn begins_behind(config: &SinkConfig, id: CutId) -> Result<Found> {
    let topics = OwnTopics::of(&config.topic_prefix);
    let kafka = settings::kafka(&config.kafka);
    let found = block_in_place(|| cut_search::find(&kafka, &topics, &Wanted::Id(id)))?;
    found.filter(|found| found.cut.id == id).ok_or_else(|| {
        Error::new(Kind::CutsMissing, format!("the source took the request in cut {id}, which is not there"))
            .hint("ask again; see whether the source still runs: cdc status -c source.toml")
    })
}

/// Where to read from. A map's offset is that behind the last record; where retention has taken all
/// before it, the partition begins behind that transaction's marker. Where it lies beyond the end, the topic was made anew, as
/// that of one sink may be: all of it came later.
async fn present_places(config: &SinkConfig, map: Map) -> Result<Vec<Place>> {
    let admin = Admin::connect(&settings::kafka(&config.kafka))?;
    let present = admin.topics_with_prefix(&format!("{}.", config.topic_prefix)).await?;
    let there =
        |(topic, partition): &(String, i32)| present.get(topic).is_some_and(|count| partition < count);
    let asked: Vec<(String, i32)> = map.keys().filter(|key| there(key)).cloned().collect();
    let mut places = admin.beginnings(asked.clone()).await?;
    let ends = admin.ends(asked).await?;
    for (place, end) in places.iter_mut().zip(ends) {
        let known = map.get(&(place.topic.clone(), place.partition)).copied();
        place.offset = place.offset.max(known.filter(|known| *known <= end.offset).unwrap_or(0));
    }
    Ok(places)
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
    let json = json!({
        "version": 1, "paused": taken.paused, "sinks": taken.sinks, "tables": tables, "given_up": taken.given_up
    });
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
    for GivenUp { sink, table, tables, why } in &recovered.taken.given_up {
        text += &match sink {
            Some(sink) => {
                format!("  for sink '{sink}' alone: given up, {tables} tables, since of {table}: {why}\n")
            }
            None => format!("  {table}, once more: given up: {why}\n"),
        };
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
