//! `cdc snapshot`: what is told to a running source over its control topic.

use std::time::Duration;

use cdc_sdk::{Error, Kind, Result};

use super::args::{SnapshotArgs, SnapshotVerb};
use super::outcome::Outcome;
use super::output;
use super::pipeline::snapshot::{self, Wish};
use crate::config::SourceConfig;

/// Tells the source, and prints its answer.
pub(super) async fn run(args: SnapshotArgs) -> Result<Outcome> {
    let (target, wish) = match args.verb {
        Some(SnapshotVerb::Show(show)) => {
            let config = SourceConfig::load(&show.config)?;
            return output::text(&snapshot::show(&config, show.json).await?);
        }
        Some(SnapshotVerb::Pause(target)) => (target, Wish::Pause),
        Some(SnapshotVerb::Resume(target)) => (target, Wish::Resume),
        Some(SnapshotVerb::Stop(target)) => (target, Wish::Stop),
        None => {
            let read = args.read.ok_or_else(|| {
                Error::new(Kind::Usage, "a snapshot needs -c FILE and --tables").hint("cdc snapshot --help")
            })?;
            let tables = read.tables.iter().flat_map(|list| split(list)).collect();
            let wish = Wish::Read { tables, condition: read.condition, empty_first: read.empty_first };
            (read.target, wish)
        }
    };
    let config = SourceConfig::load(&target.config)?;
    output::text(&snapshot::tell(&config, wish, Duration::from_secs(target.wait)).await?)
}

/// `a.b,c.*` → its parts; a comma inside of backticks is part of a name.
fn split(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in list.chars() {
        quoted ^= letter == '`';
        match parts.last_mut() {
            Some(part) if letter != ',' || quoted => part.push(letter),
            _ => parts.push(String::new()),
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_of_names() {
        assert_eq!(split("a.b, c.*,,"), ["a.b", "c.*"]);
        assert_eq!(split("`a,b`.`c`,d.e"), ["`a,b`.`c`", "d.e"]);
    }
}
