//! What topics keep, by their settings: somebody may have made them before, and `create_all` leaves them as they are.

use cdc_sdk::Result;
use rdkafka::admin::ConfigResource;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::Admin;
use crate::kafka::fault;

/// What a topic must not lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Any record.
    All,
    /// The last record of each key.
    LastOfEachKey,
}

impl Keeps {
    /// The settings of a topic that keeps this, as Kafka names them.
    pub const fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::All => &[("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")],
            Self::LastOfEachKey => &[("cleanup.policy", "compact")],
        }
    }

    /// What would be lost, in words.
    pub const fn loss(self) -> &'static str {
        match self {
            Self::All => "its records",
            Self::LastOfEachKey => "the last record of a key",
        }
    }

    /// Why a topic with these settings does not; `None` where it does.
    fn lost_by(self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let names = ["cleanup.policy", "retention.ms", "retention.bytes"];
        let [policy, ms, bytes] = names.map(|name| value(name).unwrap_or_else(|| "(unknown)".to_owned()));
        let policies: Vec<&str> = policy.split(',').map(str::trim).collect();
        let deletes = policies.iter().any(|policy| !matches!(*policy, "" | "compact"));
        let for_ever = !deletes || (ms.trim() == "-1" && bytes.trim() == "-1");
        let kept = for_ever && (self == Self::LastOfEachKey || !policies.contains(&"compact"));
        (!kept).then(|| format!("cleanup.policy={policy}, retention.ms={ms}, retention.bytes={bytes}"))
    }
}

impl Admin {
    /// Those of the topics whose settings take away what they must keep, with these settings. What is not there yet
    /// is passed: who makes it gives it the right ones.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::KafkaRefused`] where the account may not ask; [`cdc_sdk::Kind::KafkaUnreachable`].
    pub async fn losing<'t>(&self, topics: &[(&'t str, Keeps)]) -> Result<Vec<(&'t str, Keeps, String)>> {
        let names: Vec<&str> = topics.iter().map(|(name, _)| *name).collect();
        let answers = self.described(&names).await?;
        let mut found = Vec::new();
        for ((name, keeps), (_, answer)) in topics.iter().zip(answers) {
            let settings: ConfigResource = match answer {
                Err(code) if fault::is_gone(code) => continue,
                Err(code) => return Err(self.setting_refused(name, code)),
                Ok(settings) => settings,
            };
            // Of a topic that is not there the brokers tell no settings, and no error either.
            if settings.get("cleanup.policy").is_none() {
                if self.partitions(name).await?.is_none() {
                    continue;
                }
                return Err(self.setting_refused(name, Code::TopicAuthorizationFailed));
            }
            let why = keeps.lost_by(|of| settings.get(of).and_then(|entry| entry.value.clone()));
            found.extend(why.map(|why| (*name, *keeps, why)));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_records_away_is_told() {
        let loses = |keeps: Keeps, settings: [&str; 3]| {
            let [policy, ms, bytes] = settings.map(|text| Some(text.to_owned()));
            let value = |name: &str| match name {
                "cleanup.policy" => policy.clone(),
                "retention.ms" => ms.clone(),
                _ => bytes.clone(),
            };
            keeps.lost_by(value).is_some()
        };
        for (settings, all, last) in [
            (["delete", "-1", "-1"], false, false),
            (["compact", "604800000", "-1"], true, false),
            (["delete", "604800000", "-1"], true, true),
            (["delete", "-1", "1000000"], true, true),
            (["compact,delete", "604800000", "-1"], true, true),
            (["delete , compact", "-1", "-1"], true, false),
            (["", "604800000", "1000000"], false, false),
            (["later", "604800000", "-1"], true, true),
        ] {
            assert_eq!(loses(Keeps::All, settings), all, "{settings:?}");
            assert_eq!(loses(Keeps::LastOfEachKey, settings), last, "{settings:?}");
        }
        assert!(Keeps::LastOfEachKey.lost_by(|_| None).is_some(), "what is not known is not relied on");
    }

    #[test]
    fn what_cdc_gives_its_topics_keeps_them() {
        for keeps in [Keeps::All, Keeps::LastOfEachKey] {
            let value = |name: &str| {
                let set = keeps.settings().iter().find(|(of, _)| *of == name);
                Some(set.map_or("604800000", |(_, value)| *value).to_owned())
            };
            assert_eq!(keeps.lost_by(value), None);
        }
    }
}
