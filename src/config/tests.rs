use std::path::{Path, PathBuf};

use cdc_sdk::TableName;
use cdc_sdk::endpoint::{Secret, TlsMode};
use proptest::prelude::*;

use super::document::{Document, Surroundings};
use super::*;

mod refused;
mod shipped;

const SOURCE: &str = r#"
name = "shop"
[mysql]
host = "127.0.0.1"
port = 3306
user = "cdc"
password = "hush"
server_id = 5401
[mysql.tls]
mode = "required"
[kafka]
bootstrap_servers = "127.0.0.1:9092,SSL://[::1]:9093"
[kafka.options]
"security.protocol" = "SASL_SSL"
"sasl.password" = "hush too"
"linger.ms" = 5
"socket.keepalive.enable" = true
[registry]
url = "http://127.0.0.1:8081/apis/ccompat/v7/"
user = "me"
password = "hush three"
[capture]
include = ["shop.*", "`odd.name`.t?"]
exclude = ["shop.tmp_*"]
snapshot = "no_data"
[topics]
partitions = 8
replication_factor = 3
retention_ms = 604800000
cleanup_policy = "compact"
[debezium]
"decimal.handling.mode" = "string"
[http]
listen = "127.0.0.1:9101"
"#;

const SINK: &str = r#"
name = "crm"
topic_prefix = "shop"
[mysql]
host = "127.0.0.1"
user = "cdc"
password = "hush"
[kafka]
bootstrap_servers = "127.0.0.1:9092"
[registry]
url = "http://127.0.0.1:8081"
[apply]
consistency = "transaction"
schema = "check"
[[route]]
from = "shop.*"
to = "crm.*"
[dead_letter]
tables = ["shop.orders", "shop.log_*"]
keys_max = 7
"#;

fn around(variables: &[(&str, &str)]) -> Surroundings {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Surroundings { file: "file.toml".to_owned(), directory: PathBuf::from("/etc/cdc"), variables }
}

fn source(text: &str) -> Result<SourceConfig> {
    SourceConfig::parse(text, &around(&[]))
}

fn sink(text: &str) -> Result<SinkConfig> {
    SinkConfig::parse(text, &around(&[]))
}

/// The text of the error that this change of the source's settings makes.
fn wrong(from: &str, to: &str) -> String {
    assert!(SOURCE.contains(from), "{from}");
    source(&SOURCE.replace(from, to)).map(|_| ()).unwrap_err().to_string()
}

fn selects(config: &SourceConfig, database: &str, table: &str) -> bool {
    config.capture.selection.selects(&TableName::new(database, table))
}

#[test]
fn every_key_of_a_source_arrives() {
    let c = source(SOURCE).unwrap();
    assert_eq!((c.name.as_str(), c.topic_prefix.as_str(), c.server_id), ("shop", "shop", Some(5401)));
    assert_eq!((c.mysql.host.as_str(), c.mysql.port, c.mysql.user.as_str()), ("127.0.0.1", 3306, "cdc"));
    assert_eq!(c.mysql.password, Secret("hush".to_owned()));
    assert_eq!(c.mysql.tls.mode, TlsMode::Required);
    assert_eq!(c.kafka.bootstrap_servers, "127.0.0.1:9092,SSL://[::1]:9093");
    let options: Vec<(&str, &str)> = c.kafka.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        options,
        [
            ("linger.ms", "5"),
            ("sasl.password", "hush too"),
            ("security.protocol", "SASL_SSL"),
            ("socket.keepalive.enable", "true"),
        ]
    );
    assert_eq!(c.registry.url, "http://127.0.0.1:8081/apis/ccompat/v7");
    assert_eq!(c.registry.user.as_deref(), Some("me"));
    assert_eq!(c.capture.snapshot, SnapshotMode::NoData);
    assert!(selects(&c, "shop", "a") && !selects(&c, "shop", "tmp_a") && selects(&c, "odd.name", "t1"));
    let TopicsConfig { partitions, replication_factor, retention_ms, cleanup_policy, .. } = c.topics;
    assert_eq!((partitions, replication_factor, retention_ms), (8, 3, Some(604_800_000)));
    assert_eq!(cleanup_policy.to_string(), "compact");
    assert_eq!(c.debezium["decimal.handling.mode"], "string");
    assert_eq!(c.http.unwrap().port(), 9101);
}

#[test]
fn a_short_source_has_documented_defaults() {
    let text = "name = 'a'\n[mysql]\nhost = 'h'\nuser = 'u'\n[kafka]\nbootstrap_servers = 'k:1'\n\
                [registry]\nurl = 'http://r'\n[capture]\ninclude = ['a.*']\n";
    let c = source(text).unwrap();
    assert_eq!((c.mysql.port, c.server_id, c.mysql.tls.mode), (3306, None, TlsMode::Preferred));
    assert_eq!(c.capture.snapshot, SnapshotMode::Initial);
    assert_eq!(c.capture.on_unsafe_ddl, OnUnsafeDdl::Snapshot);
    assert!(!c.capture.allow_global_read_lock);
    assert_eq!((c.topics.partitions, c.topics.replication_factor, c.topics.retention_ms), (4, -1, None));
    assert_eq!(c.topics.cleanup_policy, CleanupPolicy::Delete);
    assert_eq!((c.limits.memory_bytes, c.limits.cut_interval_ms), (256 * 1024 * 1024, 100));
    assert!(c.http.is_none() && c.debezium.is_empty() && c.kafka.options.is_empty());
}

#[test]
fn every_key_of_a_sink_arrives() {
    let c = sink(SINK).unwrap();
    assert_eq!((c.name.as_str(), c.topic_prefix.as_str()), ("crm", "shop"));
    assert_eq!(c.apply.consistency, Consistency::Transaction);
    assert_eq!(c.apply.schema, SchemaPolicy::Check);
    assert_eq!(c.apply.ledger_database, "cdc");
    let routed = c.routes[0].apply(&TableName::new("shop", "orders"));
    assert_eq!(routed, Some(TableName::new("crm", "orders")));
    let has = |table| c.dead_letter.tables.iter().any(|p| p.matches(&TableName::new("shop", table)));
    assert!(has("orders") && has("log_1") && !has("customers"));
    assert_eq!(c.dead_letter.keys_max, 7);
}

#[test]
fn without_dead_letters_the_sink_stops() {
    let c = sink(SINK.split("[dead_letter]").next().unwrap()).unwrap();
    assert!(c.dead_letter.tables.is_empty());
    assert_eq!(c.dead_letter.keys_max, 1000);
    let error = sink(&SINK.replace("shop.orders", "orders")).unwrap_err().to_string();
    assert!(error.contains("line 19: [dead_letter] 'tables': 'orders'"), "{error}");
    let both = SINK.to_owned() + "[two_way]\nconflicts = \"source_wins\"\n";
    let error = sink(&both).unwrap_err().to_string();
    assert!(error.contains("[dead_letter] 'tables': not together with [two_way]"), "{error}");
    let error = sink(&SINK.replace("keys_max = 7", "keys_max = 0")).unwrap_err().to_string();
    assert!(error.contains("[dead_letter] 'keys_max'"), "{error}");
}

#[test]
fn all_mistakes_come_at_once_with_lines_and_nearest_names() {
    let text = r#"nam = "shop"
[mysql]
hots = "127.0.0.1"
port = 99999
user = 7
password = "${NOPE}"
[kafka]
bootstrap_servers = "127.0.0.1"
[registry]
url = "ftp://127.0.0.1"
[capture]
include = [
  "shop.*",
  "shop",
]
snapshot = "inital"
[topics]
replication_factor = 0
[debezium]
"snapshot.mode" = "initial"
"decimal.handling.mod" = "string"
[http]
listen = "localhost:9101"
[limitz]
"#;
    let error = source(text).unwrap_err().to_string();
    for expected in [
        "16 settings are wrong",
        "line 1: 'nam' is not a setting; did you mean 'name'?",
        "line 2: [mysql] 'host' is missing",
        "line 3: [mysql] 'hots' is not a setting; did you mean 'host'?",
        "line 4: [mysql] 'port': must be a whole number from 1 to 65535",
        "line 5: [mysql] 'user': must be a text in quotes",
        "line 6: [mysql] 'password': the environment has no variable 'NOPE'",
        "line 8: [kafka] 'bootstrap_servers': '127.0.0.1' is not host:port",
        "line 10: [registry] 'url': must be http://host:port",
        "line 14: [capture] 'include': 'shop'",
        "line 16: [capture] 'snapshot': 'inital' is not known; did you mean 'initial'?",
        "line 18: [topics] 'replication_factor': must be",
        "line 20: [debezium] 'snapshot.mode': the setting for it here is [capture] snapshot",
        "line 21: [debezium] \"decimal.handling.mod\" is not known; did you mean \"decimal.handling.mode\"?",
        "line 23: [http] 'listen': 'localhost:9101' is not an address",
        "line 24: 'limitz' is not a setting; did you mean 'limits'?",
        "'name' is missing",
    ] {
        assert!(error.contains(expected), "{expected}\n--- in ---\n{error}");
    }
}

#[test]
fn what_is_not_toml_has_its_line_and_shows_no_secret() {
    let error = wrong("password = \"hush\"", "password = \"hush");
    assert!(error.contains("line 7:"), "{error}");
    assert!(!error.contains("hush"), "{error}");
    let error = wrong("user = \"cdc\"", "user = \"cdc\"\nuser = \"hush\"");
    assert!(error.contains("line 7:") && !error.contains("hush"), "{error}");
}

#[test]
fn secrets_show_nowhere() {
    let config = source(SOURCE).unwrap();
    let debug = format!("{config:?} {config:#?}");
    assert!(!debug.contains("hush"), "{debug}");
    assert!(debug.contains("sasl.password"), "{debug}");
    let debug = format!("{:?}", sink(SINK).unwrap());
    assert!(!debug.contains("hush"), "{debug}");
    let error = wrong("password = \"hush\"", "password = \"hu$sh\"");
    assert!(error.contains("line 7") && !error.contains("hu$sh"), "{error}");
    let error = wrong("password = \"hush\"", "password = [\"hush\"]");
    assert!(!error.contains("hush"), "{error}");
    let error = wrong("url = \"http://", "url = \"http://me:hush@");
    assert!(error.contains("holds an account") && !error.contains("hush"), "{error}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let around = around(&[
        ("CDC_NAME", "other"),
        ("CDC_MYSQL__PASSWORD", "pa$$word${X}"),
        ("CDC_MYSQL__PORT", "3307"),
        ("CDC_MYSQL__TLS__MODE", "required"),
        ("CDC_CAPTURE__INCLUDE", "a.*, b.*"),
        ("CDC_CAPTURE__ALLOW_GLOBAL_READ_LOCK", "true"),
        ("CDC_HTTP__LISTEN", "127.0.0.1:1"),
        ("CDC_TEST_SOURCE_MYSQL", "belongs to someone else"),
        ("CDC_APPLY__SCHEMA", "belongs to a sink"),
    ]);
    let c = SourceConfig::parse(SOURCE, &around).unwrap();
    assert_eq!((c.name.as_str(), c.mysql.port, c.mysql.tls.mode), ("other", 3307, TlsMode::Required));
    // It is taken as it is: the shell has expanded what there was to expand.
    assert_eq!(c.mysql.password, Secret("pa$$word${X}".to_owned()));
    assert!(selects(&c, "b", "t") && !selects(&c, "shop", "t"));
    assert!(c.capture.allow_global_read_lock);
    assert_eq!(c.http.unwrap().port(), 1);
}

#[test]
fn the_environment_may_give_what_the_file_lacks() {
    let text = SOURCE.replace("[http]\nlisten = \"127.0.0.1:9101\"\n", "").replace("user = \"cdc\"\n", "");
    let around = around(&[("CDC_HTTP__LISTEN", "127.0.0.1:2"), ("CDC_MYSQL__USER", "env")]);
    let c = SourceConfig::parse(&text, &around).unwrap();
    assert_eq!((c.http.unwrap().port(), c.mysql.user.as_str()), (2, "env"));
}

#[test]
fn a_misspelt_or_wrong_variable_is_refused_without_its_value() {
    let around =
        around(&[("CDC_MYSQL__PASWORD", "hush"), ("CDC_MYSQL__TLS__MOD", "x"), ("CDC_MYSQL__PORT", "many")]);
    let error = SourceConfig::parse(SOURCE, &around).unwrap_err().to_string();
    assert!(
        error.contains("CDC_MYSQL__PASWORD is not a setting; did you mean 'CDC_MYSQL__PASSWORD'?"),
        "{error}"
    );
    assert!(
        error.contains("CDC_MYSQL__TLS__MOD is not a setting; did you mean 'CDC_MYSQL__TLS__MODE'?"),
        "{error}"
    );
    assert!(error.contains("[mysql] 'port': must be a whole number"), "{error}");
    assert!(error.contains("3 settings are wrong") && !error.contains("hush"), "{error}");
}

#[test]
fn names_that_are_not_ours_come_from_the_file_only() {
    let around =
        around(&[("CDC_KAFKA__OPTIONS__SASL_PASSWORD", "hush"), ("CDC_DEBEZIUM__PROFILE", "debezium")]);
    let error = SourceConfig::parse(SOURCE, &around).unwrap_err().to_string();
    assert!(error.contains(
        "CDC_KAFKA__OPTIONS__SASL_PASSWORD is not a setting; give it in the file, in [kafka.options]"
    ));
    assert!(
        error.contains("CDC_DEBEZIUM__PROFILE is not a setting; give it in the file, in [debezium]"),
        "{error}"
    );
}

#[test]
fn variables_are_put_into_texts_of_every_section() {
    let text = SOURCE
        .replace("\"hush\"", "\"${PW}\"")
        .replace("hush too", "a${PW}$$")
        .replace("\"shop.*\"", "\"${DB}.*\"")
        .replace("= \"string\"", "= \"${MODE}\"");
    let around = around(&[("PW", "x$y"), ("DB", "env"), ("MODE", "double")]);
    let c = SourceConfig::parse(&text, &around).unwrap();
    assert_eq!(c.mysql.password, Secret("x$y".to_owned()));
    assert_eq!(c.kafka.options["sasl.password"], "ax$y$");
    assert_eq!(c.debezium["decimal.handling.mode"], "double");
    assert!(selects(&c, "env", "t"));
}

#[test]
fn a_password_file_is_read_and_excludes_a_password() {
    let file = std::env::temp_dir().join(format!("cdc-password-{}", std::process::id()));
    std::fs::write(&file, "from file\n").unwrap();
    let line = format!("password_file = {:?}", file.display().to_string());
    let text = SOURCE.replace("password = \"hush\"", &line);
    assert_eq!(source(&text).unwrap().mysql.password, Secret("from file".to_owned()));
    let around = around(&[("CDC_MYSQL__PASSWORD", "env")]);
    assert_eq!(SourceConfig::parse(&text, &around).unwrap().mysql.password, Secret("env".to_owned()));
    let both = wrong("password = \"hush\"", &format!("password = \"hush\"\n{line}"));
    assert!(both.contains("line 8: [mysql] 'password_file': is given beside 'password'"), "{both}");
    std::fs::remove_file(&file).unwrap();
    let gone = source(&text).unwrap_err().to_string();
    assert!(gone.contains("[mysql] 'password_file'") && gone.contains("cannot be read"), "{gone}");
}

#[test]
fn names_and_prefixes_keep_to_their_letters() {
    assert!(wrong("\"shop\"", "\"a.b\"").contains("'.' is not allowed"));
    assert!(wrong("\"shop\"", "\"\"").contains("'name': is empty"));
    assert!(wrong("\"shop\"", &format!("\"{}\"", "x".repeat(49))).contains("longer than 48"));
    let c = source(&SOURCE.replace("[topics]", "[topics]\nprefix = \"eu.shop\"")).unwrap();
    assert_eq!(c.topic_prefix, "eu.shop");
    assert!(wrong("[topics]", "[topics]\nprefix = \"a/b\"").contains("'/' is not allowed"));
}

#[test]
fn what_the_promises_rest_on_cannot_be_set() {
    for key in ["acks", "transactional.id", "enable.idempotence", "group.id", "isolation.level"] {
        let error = wrong("\"linger.ms\" = 5", &format!("\"{key}\" = \"x\""));
        assert!(error.contains(&format!("[kafka.options] '{key}': cdc sets this itself")), "{error}");
    }
}

#[test]
fn unquoted_dots_in_option_names_are_explained() {
    let error = wrong("\"linger.ms\" = 5", "linger.ms = 5");
    assert!(error.contains("a name with dots must be quoted"), "{error}");
}

#[test]
fn a_selection_must_name_something() {
    assert!(
        wrong("include = [\"shop.*\", \"`odd.name`.t?\"]\n", "").contains("[capture] 'include' is missing")
    );
    let error = wrong("[\"shop.*\", \"`odd.name`.t?\"]", "[]");
    assert!(error.contains("'include': selects no table"), "{error}");
    let error = wrong("[\"shop.*\", \"`odd.name`.t?\"]", "\"shop.*\"");
    assert!(error.contains("must be a list of texts"), "{error}");
}

#[test]
fn a_section_that_is_no_table_is_refused() {
    let error = source("mysql = 3\nroute = 1\n").unwrap_err().to_string();
    assert!(error.contains("line 1: 'mysql' must be a table: [mysql]"), "{error}");
    let error = sink(&SINK.replace("[[route]]", "[route]")).unwrap_err().to_string();
    assert!(error.contains("'route' must be tables: [[route]]"), "{error}");
}

#[test]
fn a_route_whose_wildcards_do_not_fit_is_refused_at_its_line() {
    let error = sink(&SINK.replace("\"shop.*\"", "\"shop.a\"")).unwrap_err().to_string();
    assert!(error.contains("line 17: [[route]] 'to'") && error.contains("stands for nothing"), "{error}");
    let error = sink(&SINK.replace("to = ", "too = ")).unwrap_err().to_string();
    assert!(error.contains("[[route]] 'too' is not a setting; did you mean 'to'?"), "{error}");
    assert!(error.contains("[[route]] 'to' is missing"), "{error}");
}

#[test]
fn a_sink_takes_a_server_id_so_that_both_may_share_a_section() {
    assert!(sink(&SINK.replace("user = \"cdc\"", "user = \"cdc\"\nserver_id = 1")).is_ok());
}

#[test]
fn the_keys_decide_the_role() {
    let of = |text: &str| role(&Document::parse(text, &around(&[])), "file.toml");
    assert_eq!(of(SOURCE).unwrap(), Role::Source);
    assert_eq!(of(SINK).unwrap(), Role::Sink);
    let both = of("topic_prefix = 'a'\n[capture]\n").unwrap_err().to_string();
    assert!(both.contains("'capture' belongs to a source and 'topic_prefix' to a sink"), "{both}");
    assert!(of("name = 'a'").unwrap_err().to_string().contains("neither"));
}

#[test]
fn the_other_roles_file_is_named_as_such() {
    let error = refuse_role(SINK, &around(&[]), Role::Sink).unwrap_err().to_string();
    assert!(
        error.contains("these are the settings of a sink") && error.contains("cdc sink -c file.toml"),
        "{error}"
    );
    assert!(refuse_role(SINK, &around(&[]), Role::Source).is_ok());
}

#[test]
fn a_file_that_is_not_there_is_a_settings_error() {
    let error = SourceConfig::load(Path::new("/nonexistent/source.toml")).unwrap_err();
    assert_eq!(error.kind(), Kind::Settings);
    assert!(error.to_string().contains("/nonexistent/source.toml: cannot be read"), "{error}");
}

proptest! {
    /// Any text is read or refused; it never panics, and a refusal has a line or a key.
    #[test]
    fn any_text_is_read_or_refused(text in "(\\[?\\[?(mysql|capture|route|kafka)[.\\]\\n= ]{0,3}|[a-z_]{1,6} ?= ?|[\"'\\[\\]{}0-9$,.\\n ö]){0,40}") {
        let _ = source(&text);
        let _ = sink(&text);
    }

    /// Every way to cut a good file short is refused or read.
    #[test]
    fn a_file_cut_short_does_not_panic(end in 0..SOURCE.len()) {
        let _ = source(&SOURCE[..end]);
    }
}

#[test]
fn sinks_that_share_the_topics() {
    let text = "name = \"crm\"\ntopic_prefix = \"shop\"\n[mysql]\nhost = \"h\"\nuser = \"u\"\n[kafka]\n\
                bootstrap_servers = \"b:1\"\n[registry]\nurl = \"http://r\"\n[apply]\nconsistency = \"key\"\n";
    let config = SinkConfig::parse(text, &around(&[])).unwrap();
    assert_eq!((config.apply.consistency, config.group.protocol), (Consistency::Key, GroupProtocol::Classic));
    let brokers = format!("{text}[group]\nprotocol = \"consumer\"\n");
    let config = SinkConfig::parse(&brokers, &around(&[])).unwrap();
    assert_eq!(config.group.protocol, GroupProtocol::Consumer);
    for more in ["[two_way]\nconflicts = \"stop\"\n", "[dead_letter]\ntables = [\"a.b\"]\n"] {
        let error = SinkConfig::parse(&format!("{text}{more}"), &around(&[])).unwrap_err().to_string();
        assert!(error.contains("not together with consistency"), "{error}");
    }
}

#[test]
fn the_systems_authorities_are_left_out_only_where_nothing_rests_on_them() {
    let trusts = |text: &str| Config::Sink(Box::new(sink(text).unwrap())).trusts_system();
    assert!(!trusts(SINK));
    let verify = "password = \"hush\"\n[mysql.tls]\nmode = \"verify_identity\"";
    for (from, to) in [
        ("password = \"hush\"", verify),
        ("http://127.0.0.1:8081", "https://registry.example:8081"),
        ("\"127.0.0.1:9092\"", "\"SSL://127.0.0.1:9092\""),
        ("\"127.0.0.1:9092\"", "\"127.0.0.1:9092\"\n[kafka.options]\n\"security.protocol\" = \"sasl_ssl\""),
    ] {
        assert!(trusts(&SINK.replace(from, to)), "{to}");
    }
    let mut own = sink(&SINK.replace("password = \"hush\"", verify)).unwrap();
    own.mysql.tls.ca = Some("/etc/cdc/ca.pem".into());
    assert!(!Config::Sink(Box::new(own)).trusts_system(), "an authority of its own");
}
