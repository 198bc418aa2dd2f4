//! The sections that a source and a sink share: the servers they talk to, and
//! what both are called.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use cdc_sdk::endpoint::{Endpoint, Identity, Secret, Tls, TlsMode};

use crate::kafka::{Lookout, RESERVED};

use super::document::{Document, Section};
use super::identity;

/// Longest `name`, in bytes: it is part of a lock's name, which MySQL limits to 64.
const NAME_BYTES_MAX: usize = 48;

/// Longest topic prefix, in bytes: Kafka allows 249 for a whole topic name.
const PREFIX_BYTES_MAX: usize = 128;

/// What a process may be given, in bytes: 64 MiB to 1 TiB.
pub(super) const MEMORY_BYTES: RangeInclusive<i64> = 64 << 20..=1 << 40;

/// How Kafka is reached.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port`, several by commas.
    pub bootstrap_servers: String,
    /// Properties of librdkafka, as the user gave them. They may hold secrets.
    pub options: BTreeMap<String, String>,
    /// No setting: what all who wait for Kafka in this run share.
    pub lookout: Lookout,
}

/// How the schema registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryConfig {
    /// `http://` or `https://`, maybe with a path; without a slash at its end.
    pub url: String,
    /// Account, where it asks for one.
    pub user: Option<String>,
    /// Its password.
    pub password: Secret,
    /// PEM file of the authorities that may have signed the registry's certificate.
    pub ca: Option<PathBuf>,
}

/// Names of the properties only: a value may be a password.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("options", &self.options.keys())
            .finish_non_exhaustive()
    }
}

/// `name`: the letters are those that topics, locks, groups and ledger rows all take.
pub(super) fn name(root: &mut Section<'_, '_>) -> String {
    let name = root.required_text("name");
    if !name.is_empty() {
        check_name(root, "name", &name, "", NAME_BYTES_MAX);
    }
    name
}

/// A topic prefix; dots are allowed here, as Debezium does.
pub(super) fn check_prefix(section: &mut Section<'_, '_>, key: &'static str, prefix: &str) {
    check_name(section, key, prefix, ".", PREFIX_BYTES_MAX);
}

fn check_name(section: &mut Section<'_, '_>, key: &'static str, name: &str, also: &str, bytes_max: usize) {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || also.contains(c);
    if let Some(letter) = name.chars().find(|c| !legal(*c)) {
        let dots = if also.is_empty() { "no dots" } else { "'.'" };
        section.wrong(key, format!("{letter:?} is not allowed: letters a–z, digits, '-', '_', {dots}"));
    } else if name.len() > bytes_max {
        section.wrong(key, format!("is longer than {bytes_max} letters"));
    }
}

/// `[mysql]` with `[mysql.tls]`, and `server_id`, which only a source uses.
pub(super) fn mysql(document: &mut Document<'_>) -> (Endpoint, Option<u32>) {
    let mut root = document.root();
    let mut mysql = root.section("mysql");
    let host = mysql.required_text("host");
    let port = mysql.number("port", 1..=65_535).unwrap_or(3306);
    let user = mysql.required_text("user");
    let password = password(&mut mysql);
    let server_id = mysql.number("server_id", 1..=i64::from(u32::MAX));
    let mut section = mysql.section("tls");
    let tls = tls(&mut section);
    section.close();
    mysql.close();
    (Endpoint { host, port, user, password, tls }, server_id)
}

fn tls(section: &mut Section<'_, '_>) -> Tls {
    let modes = [
        ("disabled", TlsMode::Disabled),
        ("preferred", TlsMode::Preferred),
        ("required", TlsMode::Required),
        ("verify_ca", TlsMode::VerifyCa),
        ("verify_identity", TlsMode::VerifyIdentity),
    ];
    let chosen = section.choice("mode", &modes);
    let ca = section.path("ca");
    // As MySQL's own client does with --ssl-ca: who names authorities wants certificates held against them.
    let otherwise = if ca.is_some() { TlsMode::VerifyCa } else { TlsMode::default() };
    let tls = Tls { mode: chosen.unwrap_or(otherwise), ca, identity: identity(section) };
    if let Some(ca) = &tls.ca {
        if !tls.verifies() {
            section.wrong("ca", "nobody looks at it in this 'mode': choose verify_ca or verify_identity");
        } else if let Err(what) = identity::check_authorities(ca) {
            section.wrong("ca", what);
        }
    }
    tls
}

/// `cert` and `key`.
fn identity(section: &mut Section<'_, '_>) -> Option<Identity> {
    match (section.path("cert"), section.path("key")) {
        (None, None) => None,
        (None, Some(_)) => {
            section.wrong("key", "needs 'cert' beside it");
            None
        }
        (Some(cert), key) => match identity::read(&cert, key.as_deref()) {
            Ok(identity) => Some(identity),
            Err(wrong) => {
                section.wrong(if wrong.key { "key" } else { "cert" }, wrong.what);
                None
            }
        },
    }
}

/// `password`, or the first line of `password_file`; the environment's `password` wins over both.
fn password(section: &mut Section<'_, '_>) -> Secret {
    let file = section.path("password_file");
    let direct = section.text("password");
    match (direct, file) {
        (Some(password), None) => Secret(password),
        (Some(password), Some(_)) if section.in_environment("password") => Secret(password),
        (Some(_), Some(_)) => {
            section.wrong("password_file", "is given beside 'password': keep one of them");
            Secret::default()
        }
        (None, Some(path)) => match super::read_text(&path) {
            Ok(text) => Secret(text.lines().next().unwrap_or_default().to_owned()),
            Err(why) => {
                section.wrong("password_file", format!("{} cannot be read: {why}", path.display()));
                Secret::default()
            }
        },
        (None, None) => Secret::default(),
    }
}

/// `[kafka]` with `[kafka.options]`.
pub(super) fn kafka(document: &mut Document<'_>) -> KafkaConfig {
    let mut root = document.root();
    let mut kafka = root.section("kafka");
    let bootstrap_servers = kafka.required_text("bootstrap_servers");
    let without_port = bootstrap_servers.split(',').map(str::trim).find(|s| !has_port(s));
    if let Some(server) = without_port.filter(|_| !bootstrap_servers.is_empty()) {
        kafka.wrong("bootstrap_servers", format!("'{server}' is not host:port"));
    }
    let mut section = kafka.section("options");
    let mut options = BTreeMap::new();
    for (key, value, line) in section.entries() {
        if RESERVED.contains(&key.as_str()) {
            section.wrong_at(line, &key, "cdc sets this itself, since its promises rest on it");
        }
        options.insert(key, value);
    }
    section.close_open_ended();
    kafka.close();
    KafkaConfig { bootstrap_servers, options, lookout: Lookout::default() }
}

fn has_port(server: &str) -> bool {
    // librdkafka takes a protocol before it: SSL://host:port.
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// `[registry]`.
pub(super) fn registry(document: &mut Document<'_>) -> RegistryConfig {
    let mut root = document.root();
    let mut section = root.section("registry");
    let url = section.required_text("url").trim_end_matches('/').to_owned();
    check_url(&mut section, &url);
    let user = section.text("user");
    let password = password(&mut section);
    let ca = section.path("ca");
    if user.is_none() && password != Secret::default() {
        section.wrong("password", "needs 'user' beside it");
    }
    section.close();
    RegistryConfig { url, user, password, ca }
}

fn check_url(section: &mut Section<'_, '_>, url: &str) {
    if url.is_empty() {
        return;
    }
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    match host {
        Some(host) if host.contains('@') => {
            section.wrong("url", "holds an account: give it as 'user' and 'password'");
        }
        Some("") | None => section.wrong("url", "must be http://host:port or https://host:port"),
        Some(_) => {}
    }
}

/// `[http]`: where to listen, if at all.
pub(super) fn http(document: &mut Document<'_>) -> Option<SocketAddr> {
    let mut root = document.root();
    let mut section = root.section("http");
    let listen = section.text("listen");
    let address = listen.as_deref().and_then(|text| text.parse().ok());
    match &listen {
        Some(text) if address.is_none() => {
            section
                .wrong("listen", format!("'{text}' is not an address with a port, such as 127.0.0.1:9101"));
        }
        None if section.present() => section.missing("listen"),
        Some(_) | None => {}
    }
    section.close();
    address
}
