use std::time::{Duration, Instant};

use super::{Rate, SAMPLES_MAX};

#[test]
fn one_sample_is_no_rate() {
    let mut rate = Rate::default();
    assert_eq!(rate.per_second(), 0.0);
    rate.sample(Instant::now(), 1_000);
    assert_eq!(rate.per_second(), 0.0);
}

#[test]
fn it_is_the_mean_of_the_window() {
    let (mut rate, start) = (Rate::default(), Instant::now());
    for second in 0..=20 {
        // 100 a second at first, then 500.
        let count = if second <= 10 { second * 100 } else { 1_000 + (second - 10) * 500 };
        rate.sample(start + Duration::from_secs(second), count);
    }
    assert_eq!(rate.per_second(), 500.0);
}

#[test]
fn it_falls_to_nothing_after_a_pause() {
    let (mut rate, start) = (Rate::default(), Instant::now());
    rate.sample(start, 0);
    rate.sample(start + Duration::from_secs(1), 1_000);
    for second in 60..75 {
        rate.sample(start + Duration::from_secs(second), 1_000);
    }
    assert_eq!(rate.per_second(), 0.0);
}

#[test]
fn its_memory_is_bounded_and_a_count_that_falls_does_not_wrap() {
    let (mut rate, start) = (Rate::default(), Instant::now());
    for milli in 0..1_000 {
        rate.sample(start + Duration::from_millis(milli), 1_000 - milli);
        assert!(rate.samples.len() <= SAMPLES_MAX);
    }
    assert_eq!(rate.per_second(), 0.0);
}
