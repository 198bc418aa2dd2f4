use cdc::kafka::Log;
use cdc_sdk::Kind;

use super::*;

fn nowhere() -> Settings {
    // A port that was free a moment ago: connections to it are refused.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bootstrap_servers = format!("127.0.0.1:{port}");
    Settings { bootstrap_servers, patience: Duration::from_secs(2), ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_says_so_in_time_with_the_reason() {
    let settings = nowhere();
    let begun = Instant::now();
    let admin = Admin::connect(&settings).unwrap();
    let errors = [
        admin.ping().await.unwrap_err(),
        admin.partitions("t").await.unwrap_err(),
        Publisher::open(&settings, "nobody", BUDGET_BYTES).map(drop).unwrap_err(),
        Log::open(&settings, "t").map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::KafkaUnreachable, "{error}");
        let text = error.to_string();
        assert!(text.contains(&settings.bootstrap_servers), "{text}");
        assert!(text.contains("refused"), "no reason in: {text}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gives_up_after_its_patience() {
    let settings = nowhere();
    let mut events = Events::open(&settings, "nobody", BUDGET_BYTES).unwrap();
    events.ensure("t", 0, cdc::kafka::From::Offset(0)).unwrap();
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < ARRIVES, "silence for ever");
        match events.next("t", 0, Duration::from_millis(100)) {
            Ok(event) => assert_eq!(event, None),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::KafkaUnreachable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_told_while_it_lasts_and_an_end_is_not_held_up() {
    let settings = Settings { patience: ARRIVES, ..nowhere() };
    let (told, hears) = std::sync::mpsc::channel();
    settings.lookout.tell(move |error| {
        // Who listens has gone where the test is over.
        let _ = told.send(error.to_string());
    });
    let asking = {
        let settings = settings.clone();
        std::thread::spawn(move || Log::open(&settings, "t").map(drop).unwrap_err())
    };
    let text = hears.recv_timeout(ARRIVES / 2).unwrap();
    assert!(text.contains("refused") && text.contains("topic t"), "{text}");
    assert!(!asking.is_finished(), "it is still waited for");
    let ended = Instant::now();
    settings.lookout.end();
    assert_eq!(asking.join().unwrap().kind(), Kind::KafkaUnreachable);
    let error = Publisher::open(&settings, "nobody", BUDGET_BYTES).map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::KafkaUnreachable, "{error}");
    assert!(ended.elapsed() < ARRIVES / 6, "{:?}", ended.elapsed());
}
