//! `cdc snapshot`: what is told to a running source over its control topic.

use std::time::Duration;

use cdc_sdk::{Error, Kind, Result};

use super::args::{SnapshotArgs, SnapshotVerb, SureArgs};
use super::confirm;
use super::outcome::Outcome;
use super::output;
use super::pipeline::snapshot::{self, Wish};
use crate::config::{SinkConfig, SourceConfig};

/// Tells the source, and prints its answer.
pub(super) async fn run(args: SnapshotArgs) -> Result<Outcome> {
    let (file, patience, wish) = match args.verb {
        Some(SnapshotVerb::Show(show)) => {
            let config = SourceConfig::load(&show.config)?;
            return output::text(&snapshot::show(&config, show.json).await?);
        }
        Some(SnapshotVerb::Pause(target)) => (target.config, target.patience, Wish::Pause),
        Some(SnapshotVerb::Resume(target)) => (target.config, target.patience, Wish::Resume),
        Some(SnapshotVerb::Stop(target)) => (target.config, target.patience, Wish::Stop),
        None if args.for_me => {
            let config = SinkConfig::load(&args.config.ok_or_else(no_file)?)?;
            let wait = Duration::from_secs(args.patience.wait);
            let sure = SureArgs { dry_run: false, yes: args.yes };
            return confirm::then(sure, "Empty these tables and fill them anew?", async |dry_run| {
                snapshot::for_sink(&config, wait, dry_run).await
            })
            .await;
        }
        None => {
            let tables = args.tables.iter().flat_map(|list| split(list)).collect();
            let wish = Wish::Read { tables, condition: args.condition, empty_first: args.empty_first };
            (args.config.ok_or_else(no_file)?, args.patience, wish)
        }
    };
    let config = SourceConfig::load(&file)?;
    output::text(&snapshot::tell(&config, wish, Duration::from_secs(patience.wait)).await?)
}

fn no_file() -> Error {
    Error::new(Kind::Usage, "a snapshot needs the settings of the source").hint("cdc snapshot --help")
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
