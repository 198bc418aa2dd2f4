use cdc::kafka::From;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_partition_does_not_hold_up_another() {
    let broker = Broker::new("lanes");
    let topic = broker.create("t", 3).await;
    let mut publisher = broker.publisher();
    let filler = "x".repeat(10_000);
    publisher.begin().unwrap();
    for _ in 0..2_000 {
        send(&mut publisher, &topic, 0, &filler);
    }
    send(&mut publisher, &topic, 1, "other");
    publisher.commit().unwrap();

    let mut events = broker.events();
    for partition in 0..3 {
        events.ensure(&topic, partition, From::Earliest).unwrap();
    }
    // Nobody reads partition 0, whose queue is full.
    std::thread::sleep(SILENCE);
    assert_eq!(text(arrives(&mut events, &topic, 1).value), "other");
    publish(&mut publisher, &topic, 2, &["late"]);
    let begun = std::time::Instant::now();
    assert_eq!(text(arrives(&mut events, &topic, 2).value), "late");
    assert!(begun.elapsed() < Duration::from_secs(5));
    for offset in 0..2_000 {
        let event = arrives(&mut events, &topic, 0);
        assert_eq!(event.offset, offset);
        assert_eq!(event.value.map(|v| v.len()), Some(filler.len()));
    }
    broker.sweep().await;
}

/// By itself librdkafka asks once a second who leads a topic that it has just met.
#[tokio::test(flavor = "multi_thread")]
async fn topics_met_one_after_the_other_are_read_at_once() {
    const TOPICS: u32 = 8;
    let broker = Broker::new("met");
    let mut publisher = broker.publisher();
    let mut topics = Vec::new();
    for number in 0..TOPICS {
        let topic = broker.create(&format!("t{number}"), 1).await;
        publish(&mut publisher, &topic, 0, &["first"]);
        topics.push(topic);
    }
    let mut events = broker.events();
    let begun = Instant::now();
    for topic in &topics {
        events.ensure(topic, 0, From::Earliest).unwrap();
        assert_eq!(text(arrives(&mut events, topic, 0).value), "first");
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_partitions_than_the_budget_carries_are_read_in_turns() {
    const PARTITIONS: i32 = 60;
    let broker = Broker::new("turns");
    let topic = broker.create("t", PARTITIONS).await;
    let mut publisher = broker.publisher();
    for round in 0..2 {
        publisher.begin().unwrap();
        for partition in 0..PARTITIONS {
            for n in 0..3 {
                send(&mut publisher, &topic, partition, &format!("{partition} {round} {n}"));
            }
        }
        publisher.commit().unwrap();
    }
    // Carries 24 at a time, and 32 once it holds more.
    let mut events = Events::open(&broker.settings, &broker.name, 12 << 20).unwrap();
    for partition in 0..PARTITIONS {
        events.ensure(&topic, partition, From::Earliest).unwrap();
    }
    let begun = Instant::now();
    for round in 0..2 {
        for partition in 0..PARTITIONS {
            for n in 0..3 {
                let event = arrives(&mut events, &topic, partition);
                assert_eq!(text(event.value), format!("{partition} {round} {n}"));
            }
        }
        let (held, live) = events.held();
        assert_eq!(held, PARTITIONS as usize);
        assert!(live <= 32, "{live} are fetched");
    }
    println!("{PARTITIONS} partitions in turns of 32, twice: {:?}", begun.elapsed());
    events.release(&topic, 0).unwrap();
    assert_eq!(events.position(&topic, 0), None);
    events.ensure(&topic, 0, From::Offset(1)).unwrap();
    assert_eq!(text(arrives(&mut events, &topic, 0).value), "0 0 1");
    broker.sweep().await;
}

/// Topics of one partition with so many records each: their numbers, a transaction about all.
async fn filled(broker: &Broker, topics: u64, records: usize) -> Vec<TopicSpec> {
    let specs: Vec<_> = (0..topics).map(|number| broker.spec(&format!("t{number}"), 1)).collect();
    broker.admin.create_all(&specs).await.unwrap();
    let mut publisher = broker.publisher();
    publisher.begin().unwrap();
    for n in 0..records {
        specs.iter().for_each(|spec| send(&mut publisher, &spec.name, 0, &n.to_string()));
    }
    publisher.commit().unwrap();
    specs
}

/// Tables of a cut, among more than are fetched at a time: with librdkafka's own question, once a second, for those that a
/// turn met first, this took 41 s.
#[tokio::test(flavor = "multi_thread")]
async fn topics_asked_for_together_are_taken_up_together() {
    const TOPICS: u64 = 160;
    const ROUNDS: usize = 12;
    let broker = Broker::new("together");
    let specs = filled(&broker, TOPICS, ROUNDS).await;
    // Carries 32 at a time.
    let mut events = Events::open(&broker.settings, &broker.name, 12 << 20).unwrap();
    let mut dice = kit::Dice::new("together");
    let mut next = [0; TOPICS as usize];
    let begun = Instant::now();
    for spec in &specs {
        events.ensure(&spec.name, 0, From::Earliest).unwrap();
    }
    for _ in 0..ROUNDS {
        let asked: std::collections::BTreeSet<usize> = (0..24).map(|_| dice.below(TOPICS) as usize).collect();
        for number in &asked {
            events.ensure(&specs[*number].name, 0, From::Earliest).unwrap();
        }
        for number in asked {
            let event = arrives(&mut events, &specs[number].name, 0);
            assert_eq!(text(event.value), next[number].to_string());
            next[number] += 1;
        }
    }
    println!("{ROUNDS} times 24 of {TOPICS} topics: {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    broker.sweep().await;
}

/// Each turn takes partitions up and lets them go while librdkafka still starts and stops
/// them: no record may be lost, come twice, or come by another way.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_taken_up_and_let_go_in_haste_stay_exact() {
    const PARTITIONS: u64 = 20;
    const RECORDS: u64 = 300;
    let broker = Broker::new("haste");
    let topic = broker.create("t", PARTITIONS as i32).await;
    let mut publisher = broker.publisher();
    publisher.begin().unwrap();
    for n in 0..RECORDS {
        for partition in 0..PARTITIONS {
            send(&mut publisher, &topic, partition as i32, &n.to_string());
        }
    }
    publisher.commit().unwrap();
    // Carries the least, 4 at a time. The topic is new to it when it begins.
    let mut events = Events::open(&broker.settings, &broker.name, 1).unwrap();
    let mut dice = kit::Dice::new("haste");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        let partition = dice.below(PARTITIONS) as i32;
        if dice.below(3) == 0 {
            events.release(&topic, partition).unwrap();
        }
        events.ensure(&topic, partition, From::Offset(dice.below(RECORDS) as i64)).unwrap();
        let position = events.position(&topic, partition).unwrap();
        let wait = if dice.below(4) == 0 && position < RECORDS as i64 { ARRIVES } else { Duration::ZERO };
        let event = events.next(&topic, partition, wait).unwrap();
        assert!(
            event.is_some() || wait.is_zero(),
            "record {position} of partition {partition} does not come"
        );
        if let Some(event) = event {
            assert_eq!((event.offset, text(event.value)), (position, position.to_string()));
        }
    }
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_record_arrives_in_milliseconds() {
    let broker = Broker::new("latency");
    let topic = broker.create("t", 4).await;
    let mut publisher = broker.publisher();
    let mut events = broker.events();
    for partition in 0..4 {
        events.ensure(&topic, partition, From::Earliest).unwrap();
    }
    let mut took: Vec<Duration> = (0..60)
        .map(|n| {
            let begun = Instant::now();
            publish(&mut publisher, &topic, n % 4, &["x"]);
            arrives(&mut events, &topic, n % 4);
            begun.elapsed()
        })
        .collect();
    took.sort();
    println!("publish to arrival: median {:?}, 95 % {:?}", took[30], took[57]);
    assert!(took[30] < Duration::from_millis(250), "median {:?}", took[30]);
    broker.sweep().await;
}

/// librdkafka forgets no topic, and goes through all that it knows for each partition in each response.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_met_many_topics_makes_way() {
    const TOPICS: u64 = 100;
    let broker = Broker::new("makes_way");
    let specs = filled(&broker, TOPICS, 2).await;
    // Carries 4 at a time.
    let mut events = Events::open(&broker.settings, &broker.name, 3 << 20).unwrap();
    let mut most = 0;
    for n in 0..2 {
        for spec in &specs {
            events.ensure(&spec.name, 0, From::Earliest).unwrap();
            let event = arrives(&mut events, &spec.name, 0);
            assert_eq!((event.offset, text(event.value)), (n, n.to_string()), "{}", spec.name);
            most = most.max(events.topics());
        }
    }
    assert!((62..=68).contains(&most), "{most} of {TOPICS} topics in one client");
    broker.sweep().await;
}
