//! `cdc dead-letter`: what is in quarantine, and requests about it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cdc_mysql_sink::{Action, Answer, Chosen, DeadLetterDesk, Held, LedgerAdmin, Quarantine, Sink, key_text};
use cdc_sdk::{Error, Kind, Result, TableName};
use serde_json::json;

use super::release::{chosen, meant_twice, serve};
use crate::config::SinkConfig;
use crate::observe::rfc3339;
use crate::pipeline::{ledger_move, settings};

/// How long a running sink may take to answer: it finishes the batch under way first.
const ANSWER_MAX: Duration = Duration::from_secs(900);

/// How often is looked for the answer.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The keys in quarantine, of one table or of all.
pub async fn list(config: SinkConfig, table: Option<TableName>, as_json: bool) -> Result<String> {
    let mut desk = desk(&config).await?;
    let quarantine = desk.quarantine().await;
    desk.close().await;
    let keys = chosen(&quarantine?, &Chosen { table, key: None });
    Ok(if as_json { in_json(&config, &keys) } else { in_text(&config, &keys) })
}

/// Asks for keys to be released, and waits for the answer: of the running sink, or, where none
/// runs, of this process, which leads for so long.
pub async fn ask(config: SinkConfig, action: Action, keys: Chosen) -> Result<Answer> {
    let keys = Chosen { key: keys.key.as_deref().map(key_text), ..keys };
    let mut desk = desk(&config).await?;
    let asked = in_quarantine(&desk.quarantine().await?, &keys);
    let answered = match asked {
        Ok(()) => answered(&config, &mut desk, action, &keys).await,
        Err(error) => Err(error),
    };
    desk.close().await;
    answered
}

/// Of a sink that has a ledger: else its name is misspelt, and that nothing is in quarantine would be no answer.
async fn desk(config: &SinkConfig) -> Result<DeadLetterDesk> {
    let settings = settings::sink(config);
    match LedgerAdmin::read_any(&settings).await? {
        Some(_) => DeadLetterDesk::open(&settings).await,
        None => Err(ledger_move::never_ran(config)),
    }
}

/// What a request is about must be there: else it is misspelt. And a key must be one.
fn in_quarantine(quarantine: &Quarantine, keys: &Chosen) -> Result<()> {
    let found = chosen(quarantine, keys);
    if let Some(table) = meant_twice(&found, keys) {
        return Err(Error::new(Kind::Usage, format!("{keys}: means several keys of {table}"))
            .detail("they begin alike, and an earlier version of cdc stored no more of them")
            .hint(format!("release them together: --table {table} without --key")));
    }
    if !found.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, format!("{keys}: not in quarantine"))
        .hint("cdc dead-letter list shows what is, as --table and --key take it"))
}

async fn answered(
    config: &SinkConfig,
    desk: &mut DeadLetterDesk,
    action: Action,
    keys: &Chosen,
) -> Result<Answer> {
    let request = desk.ask(action, keys).await?;
    // Once this process leads it is the one that answers.
    let leads = AtomicBool::new(false);
    let led = tokio::select! {
        answer = answer_of(desk, request, &leads) => return answer,
        led = lead(config, &leads) => led,
        () = tokio::time::sleep(ANSWER_MAX) => Err(Error::new(Kind::NoAnswer, "the sink does not answer")
            .hint("it may be busy with a large transaction: see its log, then try again")),
    };
    let answer = desk.answer(request).await?;
    if let (None, Err(error)) = (&answer, led) {
        // Nobody waits for it any more.
        desk.withdraw(request).await?;
        return Err(error);
    }
    answer.ok_or_else(|| Error::new(Kind::Bug, "a request was passed by"))
}

async fn answer_of(desk: &mut DeadLetterDesk, request: u64, leads: &AtomicBool) -> Result<Answer> {
    loop {
        if !leads.load(Ordering::Relaxed)
            && let Some(answer) = desk.answer(request).await?
        {
            return Ok(answer);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Waits until no sink runs, and does what is asked in its place.
async fn lead(config: &SinkConfig, leads: &AtomicBool) -> Result<()> {
    let mut sink = Sink::open(settings::sink(config), |_| {}).await?;
    leads.store(true, Ordering::Relaxed);
    let served = serve(config, &mut sink).await;
    sink.close().await;
    served
}

fn in_json(config: &SinkConfig, keys: &[Held]) -> String {
    let key = |held: &Held| {
        json!({
            "table": held.table.to_string(), "key": &*held.shown, "letters": held.letters,
            "since": rfc3339(held.since_us), "error_code": held.why.code, "error": held.why.text,
            "first": {"topic": held.first.topic, "partition": held.first.partition, "offset": held.first.offset},
            "last": {"topic": held.last.topic, "partition": held.last.partition, "offset": held.last.offset},
        })
    };
    let keys: Vec<_> = keys.iter().map(key).collect();
    let topic = super::topic(&config.topic_prefix);
    format!("{:#}\n", json!({"version": 1, "sink": config.name, "topic": topic, "keys": keys}))
}

fn in_text(config: &SinkConfig, keys: &[Held]) -> String {
    let topic = super::topic(&config.topic_prefix);
    if keys.is_empty() {
        return format!("sink '{}': no key is in quarantine\n", config.name);
    }
    let letters: u64 = keys.iter().map(|held| held.letters).sum();
    let mut text =
        format!("sink '{}': {} keys in quarantine, {letters} letters on {topic}\n", config.name, keys.len());
    for held in keys {
        let Held { table, shown, letters, first, .. } = held;
        text += &format!(
            "{table}  {shown}\n  since {}, {letters} letters from {}/{} offset {} on\n  {}\n",
            rfc3339(held.since_us),
            first.topic,
            first.partition,
            first.offset,
            held.why.text.replace('\n', "\n  ")
        );
    }
    text
}
