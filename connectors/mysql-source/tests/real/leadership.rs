//! Two sources of a name, or of a topic prefix: one works, the other waits and takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cdc_mysql_source::{Leader, Settings};
use mysql_async::prelude::Queryable;

use crate::kit::{Outcome, PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_waits_and_takes_over() -> Outcome {
    let Some(world) = World::new("leader").await? else { return Ok(()) };
    let settings = world.settings("leader")?;
    let mut first = Leader::acquire(&settings, |_| {}).await?;
    first.confirm().await?;
    let waits = Arc::new(AtomicUsize::new(0));
    let told = waits.clone();
    let theirs = settings.clone();
    let second = tokio::spawn(async move {
        Leader::acquire(&theirs, |_| {
            told.fetch_add(1, Ordering::SeqCst);
        })
        .await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(waits.load(Ordering::SeqCst) >= 1, "the second does not say that it waits");
    drop(first);
    let mut second = tokio::time::timeout(PATIENCE, second).await???;
    second.confirm().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lock_is_noticed() -> Outcome {
    let Some(mut world) = World::new("fenced").await? else { return Ok(()) };
    let settings = world.settings("fenced")?;
    let mut leader = Leader::acquire(&settings, |_| {}).await?;
    let query = format!("SELECT IS_USED_LOCK('cdc_source_{}')", settings.name);
    let holder: Option<u64> = world.admin.query_first(query).await?;
    let holder = holder.ok_or("nobody holds the lock")?;
    world.admin.query_drop(format!("KILL {holder}")).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let error = leader.confirm().await.err().ok_or("the loss went unnoticed")?;
    assert_eq!(error.kind(), cdc_sdk::Kind::Fenced);
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_of_one_prefix_wait_whatever_their_names() -> Outcome {
    let Some(world) = World::new("prefix").await? else { return Ok(()) };
    let (one, other) = (world.settings("one")?, world.settings("other")?);
    let same = Settings { topic_prefix: one.topic_prefix.clone(), ..other.clone() };
    let first = Leader::acquire(&one, |_| {}).await?;
    drop(tokio::time::timeout(PATIENCE, Leader::acquire(&other, |_| {})).await??);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let waiting = tokio::spawn(async move {
        Leader::acquire(&same, |why| {
            let _ = tell.send(why.to_owned());
        })
        .await
    });
    let why = tokio::time::timeout(PATIENCE, told.recv()).await?.ok_or("the second does not wait")?;
    assert!(why.contains(&format!("another source of the topic prefix '{}'", one.topic_prefix)), "{why}");
    drop(first);
    tokio::time::timeout(PATIENCE, waiting).await???.confirm().await?;
    world.end().await
}
