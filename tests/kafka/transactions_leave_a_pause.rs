use super::*;

/// Markers are written after a commit was answered, and whoever comes before them waits for 20 ms.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_leaves_the_markers_of_the_last_one_time() {
    let broker = Broker::new("pause");
    let topic = broker.create("t", 1).await;
    let mut publisher = broker.publisher();
    let [mut begins, mut commits] = [Duration::ZERO; 2];
    for _ in 0..50 {
        let start = Instant::now();
        publisher.begin().unwrap();
        begins += start.elapsed();
        send(&mut publisher, &topic, 0, "x");
        let sent = Instant::now();
        publisher.commit().unwrap();
        // What stalls is not the rule, and no pause is long.
        commits += sent.elapsed().min(Duration::from_millis(5));
    }
    assert!(begins > commits / 8, "{begins:?} of pauses, {commits:?} of commits");
    broker.sweep().await;
}
