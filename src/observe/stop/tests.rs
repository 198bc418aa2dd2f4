use std::time::Duration;

use tokio::time::timeout;

use super::Stop;

#[tokio::test]
async fn a_request_reaches_every_clone_and_stays() {
    let stop = Stop::new();
    let clone = stop.clone();
    assert!(!clone.requested());
    let waiting = tokio::spawn(async move { clone.wait().await });
    tokio::task::yield_now().await;
    stop.request();
    timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert!(stop.requested());
    timeout(Duration::from_secs(5), stop.wait()).await.unwrap();
}

#[tokio::test]
async fn nobody_asks_by_going_away() {
    let stop = Stop::default();
    drop(stop.clone());
    assert!(timeout(Duration::from_millis(20), stop.wait()).await.is_err());
}
