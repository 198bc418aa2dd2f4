use super::*;

const MS: Duration = Duration::from_millis(1);

/// The pause that stands right after these commits.
fn after(commits: &[Duration]) -> Duration {
    let (mut pace, now) = (Pace::default(), Instant::now());
    for took in commits {
        pace.committed(*took, now, true);
    }
    pace.pause(now)
}

#[test]
fn a_pause_follows_what_commits_take() {
    let about = |pause: Duration, expected: Duration| {
        assert!(pause.abs_diff(expected) < MS / 10, "{pause:?} instead of {expected:?}");
    };
    about(after(&[]), Duration::ZERO);
    about(after(&[4 * MS; 100]), 2 * MS);
    about(after(&[[8 * MS; 100], [2 * MS; 100]].concat()), MS);
    // One that was slow for another reason is not taken for the rule.
    about(after(&[[4 * MS; 100].as_slice(), &[20 * MS]].concat()), 5 * MS / 2);
    about(after(&[60_000 * MS]), PAUSE_MAX);
}

#[test]
fn nothing_waits_for_what_is_over() {
    let (mut pace, answered) = (Pace::default(), Instant::now());
    for _ in 0..100 {
        pace.committed(8 * MS, answered, true);
    }
    assert!(pace.pause(answered + MS) <= 3 * MS);
    assert_eq!(pace.pause(answered + 4 * MS), Duration::ZERO);
    assert_eq!(pace.pause(answered + 60_000 * MS), Duration::ZERO);
    pace.committed(300 * MS, answered, false);
    assert_eq!(pace.pause(answered), Duration::ZERO);
    pace.committed(8 * MS, answered, true);
    assert!(pace.pause(answered) <= 4 * MS, "a long commit tells nothing of short ones");
}
