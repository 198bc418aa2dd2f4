//! Source and sink are killed, stopped for a while, and restarted, at random moments.

use super::stage::{Deck, Stage};
use crate::kit::Options;

enum Kind {
    KillSource,
    KillSink,
    KillBoth,
    /// Killed again while it is still starting.
    KillSourceTwice,
    KillSinkTwice,
    PauseSource,
    PauseSink,
    RestartSource,
    RestartSink,
}

static KINDS: [Kind; 9] = [
    Kind::KillSource,
    Kind::KillSink,
    Kind::KillBoth,
    Kind::KillSourceTwice,
    Kind::KillSinkTwice,
    Kind::PauseSource,
    Kind::PauseSink,
    Kind::RestartSource,
    Kind::RestartSink,
];

#[tokio::test(flavor = "multi_thread")]
async fn crashes() {
    let mut stage = Stage::open("crashes", Options::default()).await;
    let (source, sink) = (stage.start("source", "1", &[]), stage.start("sink", "1", &[]));
    let mut deck = Deck::of(&KINDS);
    while stage.goes_on(KINDS.len()) {
        stage.moment().await;
        let kind = happen(deck.deal(&mut stage.dice), &mut stage, source, sink).await;
        stage.count(kind);
        // Sometimes the next fault comes before this one is over.
        if stage.dice.below(3) > 0 {
            stage.recovers(kind).await;
        }
    }
    stage.end().await;
}

async fn happen(kind: &Kind, stage: &mut Stage, source: usize, sink: usize) -> &'static str {
    let pause = stage.random_ms(1500);
    let starting = stage.random_ms(800);
    let instances = &mut stage.instances;
    match kind {
        Kind::KillSource => instances[source].crash(),
        Kind::KillSink => instances[sink].crash(),
        Kind::KillBoth => {
            instances[source].crash();
            instances[sink].crash();
        }
        Kind::KillSourceTwice => {
            instances[source].crash();
            tokio::time::sleep(starting).await;
            instances[source].crash();
        }
        Kind::KillSinkTwice => {
            instances[sink].crash();
            tokio::time::sleep(starting).await;
            instances[sink].crash();
        }
        Kind::PauseSource => instances[source].pause(pause).await,
        Kind::PauseSink => instances[sink].pause(pause).await,
        Kind::RestartSource => tokio::task::block_in_place(|| instances[source].restart()),
        Kind::RestartSink => tokio::task::block_in_place(|| instances[sink].restart()),
    }
    match kind {
        Kind::KillSource => "source killed",
        Kind::KillSink => "sink killed",
        Kind::KillBoth => "both killed",
        Kind::KillSourceTwice => "source killed twice",
        Kind::KillSinkTwice => "sink killed twice",
        Kind::PauseSource => "source stopped",
        Kind::PauseSink => "sink stopped",
        Kind::RestartSource => "source restarted",
        Kind::RestartSink => "sink restarted",
    }
}
