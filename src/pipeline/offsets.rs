//! `cdc offsets show`: the map (topic, partition) → offset of the ledger, or of a cut.

use cdc_mysql_sink::LedgerAdmin;
use cdc_sdk::{CutId, Error, Kind, Result};
use serde_json::json;

use super::cut_search::{self, Map, Wanted};
use super::cut_writer::OwnTopics;
use super::gather::position_text;
use super::settings;
use crate::config::SinkConfig;

/// A map with what it belongs to.
struct Shown {
    of: String,
    cut: Option<CutId>,
    cuts_offset: i64,
    position: String,
    map: Map,
}

/// Prints the map of a cut, or without one that of the ledger.
pub async fn show(config: SinkConfig, cut: Option<CutId>, as_json: bool) -> Result<String> {
    let shown = match cut {
        Some(id) => tokio::task::block_in_place(|| of_cut(&config, id))?,
        None => of_ledger(&config).await?,
    };
    Ok(if as_json { shown.json() } else { shown.table() })
}

fn of_cut(config: &SinkConfig, id: CutId) -> Result<Shown> {
    let topics = OwnTopics::of(&config.topic_prefix);
    let found = cut_search::find(&settings::kafka(&config.kafka), &topics, &Wanted::Id(id))?;
    let found = found.filter(|f| f.cut.id == id).ok_or_else(|| {
        Error::new(Kind::BadPosition, format!("there is no whole cut {id} on {}", topics.cuts))
            .hint("a cut is written INCARNATION.SEQUENCE, as cdc offsets show and the ledger print it")
    })?;
    Ok(Shown {
        of: format!("cut {id}"),
        cut: Some(id),
        cuts_offset: found.cuts_offset,
        position: position_text(&found.cut.position),
        map: found.map,
    })
}

async fn of_ledger(config: &SinkConfig) -> Result<Shown> {
    let progress = LedgerAdmin::read(&settings::sink(config)).await?.ok_or_else(|| {
        Error::new(Kind::LedgerMismatch, format!("the destination has no ledger of a sink '{}'", config.name))
    })?;
    Ok(Shown {
        of: format!("ledger of '{}'", config.name),
        cut: progress.cut,
        cuts_offset: progress.cuts_offset,
        position: progress.position,
        map: progress.places.into_iter().filter(|((_, partition), _)| *partition >= 0).collect(),
    })
}

impl Shown {
    fn json(&self) -> String {
        let places = self.map.iter();
        let places = places.map(|((t, p), o)| json!({"topic": t, "partition": p, "offset": o}));
        let places: Vec<_> = places.collect();
        let cut = self.cut.map(|c| c.to_string());
        let document = json!({
            "version": 1, "of": self.of, "cut": cut, "cuts_offset": self.cuts_offset,
            "position": self.position, "offsets": places,
        });
        format!("{document:#}\n")
    }

    fn table(&self) -> String {
        let cut = self.cut.map_or("none".to_owned(), |c| c.to_string());
        let mut text = format!("{}: cut {cut}, position {}\n", self.of, self.position);
        text += &format!("  {:<60} {:>9} {:>12}\n", "topic", "partition", "offset");
        for ((topic, partition), offset) in &self.map {
            text += &format!("  {topic:<60} {partition:>9} {offset:>12}\n");
        }
        text
    }
}
