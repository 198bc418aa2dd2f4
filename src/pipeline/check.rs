//! `cdc check`: what must be mended before a pipeline runs, all at once.

use cdc_mysql_sink as sink;
use cdc_mysql_source as source;
use cdc_sdk::{Error, Finding, Result};

use super::{kept, settings};
use crate::avro::Registry;
use crate::config::{KafkaConfig, RegistryConfig, SinkConfig, SourceConfig};
use crate::kafka::Admin;

/// What a source lacks.
pub async fn source(config: &SourceConfig) -> Result<Vec<Finding>> {
    let mut findings = reached("MySQL", source::check(&settings::source(config)).await);
    let topics = async |admin: Admin| kept::source(config, &admin).await;
    findings.extend(servers(&config.kafka, &config.registry, topics).await);
    Ok(findings)
}

/// What a sink lacks.
pub async fn sink(config: &SinkConfig) -> Result<Vec<Finding>> {
    let mut findings = reached("MySQL", sink::check(&settings::sink(config)).await);
    let topics = async |_| kept::sink(config).await;
    findings.extend(servers(&config.kafka, &config.registry, topics).await);
    Ok(findings)
}

async fn servers(
    kafka: &KafkaConfig,
    registry: &RegistryConfig,
    topics: impl AsyncFnOnce(Admin) -> Result<Vec<Finding>>,
) -> Vec<Finding> {
    let asked = async {
        let admin = Admin::connect(&settings::kafka(kafka))?;
        admin.ping().await?;
        topics(admin).await
    };
    let asked = asked.await;
    let registry = match Registry::new(settings::registry(registry)) {
        Ok(registry) => registry.ping().await,
        Err(error) => Err(error),
    };
    let mut findings = reached("Kafka", asked);
    findings.extend(reached("the schema registry", registry.map(|()| Vec::new())));
    findings
}

/// A server that cannot be asked is a finding too, so that one does not hide the others.
fn reached(server: &str, answer: Result<Vec<Finding>>) -> Vec<Finding> {
    answer.unwrap_or_else(|error: Error| {
        let mend = error.hint_text().unwrap_or("see that it runs, and that the settings name it").to_owned();
        vec![Finding::blocking(format!("{server}: {error}"), mend)]
    })
}
