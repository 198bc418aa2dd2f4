//! Settings: what the user wrote → what the program runs with.
//!
//! `source.toml` and `sink.toml` are read into [`SourceConfig`] and
//! [`SinkConfig`]. Everything that is wrong is reported at once, each with its
//! line; a key that is not known is refused, with the nearest name that is. A
//! value may hold `${VAR}`, and `CDC_SECTION__KEY` in the environment wins over
//! the file. Relative paths start at the file's directory.
//!
//! **Invariant:** a [`Secret`](cdc_sdk::endpoint::Secret) never shows, in no
//! `Debug` and in no error; values of Kafka properties do not either.

mod debezium;
mod document;
mod expand;
mod identity;
mod problem;
mod servers;
mod sink;
mod source;

use std::path::{Path, PathBuf};

use cdc_sdk::{Error, Kind, Result};

pub use servers::{KafkaConfig, RegistryConfig};
pub use sink::{
    ApplyConfig, Consistency, DeadLetterConfig, GroupConfig, GroupProtocol, SchemaPolicy, SinkConfig,
    SinkLimits, TwoWay, WrittenBy,
};
pub use source::{
    CaptureConfig, CleanupPolicy, OnIncompatible, OnUnsafeDdl, SnapshotMode, SourceConfig, SourceLimits,
    TopicsConfig,
};

use document::{Document, Surroundings};

/// Longest settings or password file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Which of the two programs a settings file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// MySQL → Kafka.
    Source,
    /// Kafka → MySQL.
    Sink,
}

/// Settings of either role.
#[derive(Clone, Debug)]
pub enum Config {
    /// Of a source.
    Source(Box<SourceConfig>),
    /// Of a sink.
    Sink(Box<SinkConfig>),
}

impl Config {
    /// Reads a file of either role; the keys in it decide which.
    ///
    /// # Errors
    /// [`Kind::Settings`]: the file cannot be read, is of neither role or of both, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        let (text, around) = read(path)?;
        match role(&Document::parse(&text, &around), &around.file)? {
            Role::Source => SourceConfig::parse(&text, &around).map(|c| Self::Source(Box::new(c))),
            Role::Sink => SinkConfig::parse(&text, &around).map(|c| Self::Sink(Box::new(c))),
        }
    }

    /// Whether some connection may rest on the authorities that the system trusts.
    pub fn trusts_system(&self) -> bool {
        let (mysql, kafka, registry) = match self {
            Self::Source(config) => (&config.mysql, &config.kafka, &config.registry),
            Self::Sink(config) => (&config.mysql, &config.kafka, &config.registry),
        };
        let asks = |text: &String| text.to_ascii_lowercase().contains("ssl") || text.contains("https");
        mysql.tls.verifies() && mysql.tls.ca.is_none()
            || !registry.url.starts_with("http://")
            || asks(&kafka.bootstrap_servers)
            || kafka.options.iter().any(|(name, value)| asks(name) || asks(value))
    }
}

impl SourceConfig {
    /// Reads `source.toml`.
    ///
    /// # Errors
    /// [`Kind::Settings`]: the file cannot be read, or all that is wrong in it.
    pub fn load(path: &Path) -> Result<Self> {
        let (text, around) = read(path)?;
        refuse_role(&text, &around, Role::Sink)?;
        Self::parse(&text, &around)
    }
}

impl SinkConfig {
    /// Reads `sink.toml`.
    ///
    /// # Errors
    /// [`Kind::Settings`]: the file cannot be read, or all that is wrong in it.
    pub fn load(path: &Path) -> Result<Self> {
        let (text, around) = read(path)?;
        refuse_role(&text, &around, Role::Source)?;
        Self::parse(&text, &around)
    }
}

/// Keys at the top that only one role has.
const SOURCE_KEYS: &[&str] = &["capture", "topics", "debezium"];
const SINK_KEYS: &[&str] = &["topic_prefix", "apply", "route", "dead_letter"];

/// The sections of either role.
fn sections() -> impl Iterator<Item = &'static str> {
    source::SECTIONS.iter().chain(sink::SECTIONS).copied()
}

fn role(document: &Document<'_>, file: &str) -> Result<Role> {
    let find = |keys: &[&'static str]| keys.iter().copied().find(|key| document.has(key));
    let (what, hint) = match (find(SOURCE_KEYS), find(SINK_KEYS)) {
        (Some(_), None) => return Ok(Role::Source),
        (None, Some(_)) => return Ok(Role::Sink),
        (Some(source), Some(sink)) => (
            format!("{file}: '{source}' belongs to a source and '{sink}' to a sink"),
            "a file is for one of the two: split it",
        ),
        (None, None) => (
            format!("{file}: neither the settings of a source nor of a sink"),
            "a source has [capture] with `include`, a sink has `topic_prefix`",
        ),
    };
    Err(Error::new(Kind::Settings, what).hint(hint))
}

/// The other role's file is named as such, rather than by each of its keys.
fn refuse_role(text: &str, around: &Surroundings, other: Role) -> Result<()> {
    match role(&Document::parse(text, around), &around.file) {
        Ok(found) if found == other => {
            let (is, run) = match other {
                Role::Source => ("a source", "cdc source"),
                Role::Sink => ("a sink", "cdc sink"),
            };
            Err(Error::new(Kind::Settings, format!("{}: these are the settings of {is}", around.file))
                .hint(format!("run it with `{run} -c {}`", around.file)))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn read(path: &Path) -> Result<(String, Surroundings)> {
    let file = path.display().to_string();
    let text = read_text(path).map_err(|why| {
        Error::new(Kind::Settings, format!("{file}: cannot be read"))
            .detail(why)
            .hint("-c FILE names the settings: a text file in UTF-8")
    })?;
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    // A variable that is not UTF-8 cannot be put into a text; it counts as absent.
    let variables = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    Ok((text, Surroundings { file, directory, variables }))
}

/// A whole small text file.
fn read_text(path: &Path) -> std::result::Result<String, String> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is longer than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests;
