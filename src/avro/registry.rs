//! The schema registry: Confluent's, or another that speaks its protocol.

use std::collections::HashMap;
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cdc_sdk::endpoint::Secret;
use cdc_sdk::{Error, Kind, Result};
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_all_subjects, get_schema_by_id, get_schema_by_subject, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{
    RawError, SchemaType, SubjectNameStrategy, SuppliedSchema,
};

/// How long a request may take in all.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The registry's status where a compatibility rule forbids a schema.
const CONFLICT: u16 = 409;

/// The registry's codes for a subject, or a version of it, that there is not. A 404 without one of them is somebody else's: of
/// a proxy, or of an address that lacks its path.
const NO_SUCH: [u32; 2] = [40401, 40402];

/// How the registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Its address; may carry a path, as Apicurio's `/apis/ccompat/v7`.
    pub url: String,
    /// Account, where it wants one.
    pub user: Option<String>,
    /// Its password; empty for none.
    pub password: Secret,
    /// PEM file of the authorities that may have signed its certificate.
    pub ca: Option<PathBuf>,
}

/// A schema registry, with what it was asked before.
#[derive(Debug)]
pub struct Registry {
    /// For errors: without an account that may stand in it.
    url: String,
    settings: SrSettings,
    /// For what the client above has no call for.
    line: Line,
    schemas: Mutex<HashMap<u32, Arc<str>>>,
}

/// A plain HTTP client for the registry, made when it is needed: that takes 50 ms, of which a start has none to spare.
#[derive(Debug)]
struct Line {
    url: String,
    certificates: Vec<reqwest::Certificate>,
    account: Option<(String, Secret)>,
}

impl Registry {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Kind::Settings`]: the address is none, or the authorities' file cannot be read.
    pub fn new(settings: RegistrySettings) -> Result<Self> {
        let url = settings.url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong(format!("registry.url '{}' is no http address", without_account(&url))));
        }
        let certificates = certificates(&settings)?;
        let client = client(&certificates);
        let mut builder = SrSettings::new_builder(url.clone());
        builder.set_timeout(TIMEOUT);
        if let Some(user) = &settings.user {
            let password = Some(settings.password.0.as_str()).filter(|password| !password.is_empty());
            builder.set_basic_authorization(user, password);
        }
        let line = Line {
            url: url.clone(),
            certificates,
            account: settings.user.map(|user| (user, settings.password)),
        };
        let settings = builder.build_with(client).map_err(|e| wrong("registry").caused_by(e))?;
        Ok(Self { url: without_account(&url), settings, line, schemas: Mutex::default() })
    }

    /// Registers a schema and returns its id; the id that it has if it is registered.
    /// The text is sent byte for byte; a registry may take white space out (Apicurio does).
    ///
    /// # Errors
    /// [`Kind::SchemaIncompatible`] if the subject's compatibility rule forbids it, [`Kind::SchemaRefused`] if
    /// the registry does not take it for another reason, [`Kind::RegistryUnreachable`] if there is no answer.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        let registered = post_schema(&self.settings, subject.to_owned(), supplied).await;
        let id = match registered {
            Err(refused) if status(&refused.error) == Some(CONFLICT) => {
                return Err(self.incompatible(subject, &refused).await);
            }
            registered => registered.map_err(|e| self.failed(&format!("schema for {subject}"), e))?.id,
        };
        self.remember(id, schema);
        Ok(id)
    }

    async fn incompatible(&self, subject: &str, refused: &SRCError) -> Error {
        let rule = self.line.compatibility(subject).await;
        let rule =
            rule.map_or_else(|| "compatibility rule".to_owned(), |rule| format!("compatibility rule {rule}"));
        let reason = refused.cause.as_deref().unwrap_or(&refused.error);
        Error::new(
            Kind::SchemaIncompatible,
            format!("the registry's {rule} forbids the new schema of subject {subject}"),
        )
        .detail(format!("{reason} (at {})", self.url))
        .hint(format!(
            "let the table go on in a new topic ([topics] on_incompatible = \"new_topic\"); or relax the rule of this \
             subject: PUT {}/config/{subject} {{\"compatibility\": \"NONE\"}}; or begin under another topic prefix",
            self.url
        ))
    }

    /// The text of a schema; asked once for each id.
    ///
    /// # Errors
    /// [`Kind::RegistryUnreachable`], or [`Kind::SchemaRefused`] if there is no such id.
    pub async fn schema(&self, id: u32) -> Result<Arc<str>> {
        let known = self.schemas.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(schema) = known {
            return Ok(schema);
        }
        let found = get_schema_by_id(id, &self.settings).await;
        let schema = found.map_err(|e| self.failed(&format!("schema {id}"), e))?;
        Ok(self.remember(id, &schema.schema))
    }

    /// The latest value schema of a topic; `None` if none was registered.
    ///
    /// # Errors
    /// [`Kind::RegistryUnreachable`] or [`Kind::SchemaRefused`].
    pub async fn latest_of(&self, topic: &str) -> Result<Option<Arc<str>>> {
        let subject = SubjectNameStrategy::TopicNameStrategy(topic.to_owned(), false);
        match get_schema_by_subject(&self.settings, &subject).await {
            Ok(found) => Ok(Some(Arc::from(found.schema))),
            Err(error) if is_none(&error) => Ok(None),
            Err(error) => Err(self.failed(&format!("the latest schema of {topic}"), error)),
        }
    }

    /// Asks for the list of subjects, to see whether it answers.
    ///
    /// # Errors
    /// [`Kind::RegistryUnreachable`] or [`Kind::SchemaRefused`].
    pub async fn ping(&self) -> Result<()> {
        get_all_subjects(&self.settings).await.map(drop).map_err(|e| self.failed("the list of subjects", e))
    }

    fn remember(&self, id: u32, schema: &str) -> Arc<str> {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(schemas.entry(id).or_insert_with(|| Arc::from(schema)))
    }

    /// An answer of the registry is a refusal; anything else is a registry that
    /// cannot be reached, as is one that says it is busy (5xx, 429).
    fn failed(&self, what: &str, error: SRCError) -> Error {
        let said = error.cause.as_deref().unwrap_or(&error.error);
        let detail = format!("{said} (at {})", self.url);
        match status(&error.error) {
            Some(status) if !error.retriable && refuses(status) => {
                Error::new(Kind::SchemaRefused, format!("the schema registry refused {what} ({status})"))
                    .detail(detail)
                    .hint(remedy(status))
            }
            Some(status) => Error::new(
                Kind::RegistryUnreachable,
                format!("the schema registry failed with {status}: {what}"),
            )
            .detail(detail)
            .hint("see the registry's log"),
            None => {
                Error::new(Kind::RegistryUnreachable, format!("no answer from the schema registry: {what}"))
                    .detail(detail)
                    .hint("see that the registry runs and that registry.url is its address")
            }
        }
    }
}

impl Line {
    /// The rule of a subject, its own or the registry's; `None` where that cannot be had.
    async fn compatibility(&self, subject: &str) -> Option<String> {
        let url = format!("{}/config/{subject}?defaultToGlobal=true", self.url);
        let client = client(&self.certificates).timeout(TIMEOUT).build().ok()?;
        let request = client.get(url);
        let request = match &self.account {
            Some((user, password)) => request.basic_auth(user, Some(&password.0)),
            None => request,
        };
        let answer = request.send().await.ok()?.bytes().await.ok()?;
        let json: serde_json::Value = serde_json::from_slice(&answer).ok()?;
        json.get("compatibilityLevel")?.as_str().map(str::to_owned)
    }
}

fn client(certificates: &[reqwest::Certificate]) -> reqwest::ClientBuilder {
    let plain = reqwest::Client::builder().connect_timeout(TIMEOUT);
    certificates.iter().cloned().fold(plain, reqwest::ClientBuilder::add_root_certificate)
}

/// The authorities that may have signed the registry's certificate.
fn certificates(settings: &RegistrySettings) -> Result<Vec<reqwest::Certificate>> {
    let Some(path) = &settings.ca else { return Ok(Vec::new()) };
    let place = || format!("registry.ca '{}'", path.display());
    let pem = std::fs::read(path).map_err(|e| wrong(place()).caused_by(e))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| wrong(place()).caused_by(e))
}

/// Whether the registry says that it does not have what was asked for.
fn is_none(error: &SRCError) -> bool {
    let said = error.source().and_then(|source| source.downcast_ref::<RawError>());
    said.is_some_and(|said| NO_SUCH.contains(&said.error_code))
}

/// The HTTP status in the client's error, which has it as text only.
fn status(error: &str) -> Option<u16> {
    let (_, rest) = error.split_once("failed with status ")?;
    rest.get(..3)?.parse().ok()
}

fn refuses(status: u16) -> bool {
    matches!(status, 400..500) && !matches!(status, 408 | 429)
}

fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "set registry.user and registry.password to an account that may read and register schemas"
        }
        404 => {
            "registry.url may lack its path, or this is not the registry that the messages were written with"
        }
        _ => "the registry's answer says what it wants",
    }
}

fn without_account(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
        }
        None => url.to_owned(),
    }
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(Kind::Settings, what)
}

#[cfg(test)]
mod tests;
