use super::*;

fn failed(code: Code) -> Failed {
    Failed { code, topic: "t".to_owned(), partition: 0, size_bytes: 1 }
}

#[test]
fn ends_are_the_largest_offset_and_one() {
    let receipts = Receipts::new(Link::new("k"));
    receipts.held(|held| {
        held.stored(3, 10);
        held.stored(0, 5);
        held.stored(3, 9);
    });
    assert_eq!(receipts.take_ends(), [(3, 11), (0, 6)]);
    assert!(receipts.take_ends().is_empty());
    receipts.held(|held| held.stored(3, 12));
    assert_eq!(receipts.take_ends(), [(3, 13)]);
    assert!(!receipts.held(|held| held.stored(3, -1001)));
}

#[test]
fn the_first_failure_with_a_reason_is_kept() {
    let receipts = Receipts::new(Link::new("k"));
    receipts.held(|held| {
        held.lost(failed(Code::PurgeQueue));
        held.lost(failed(Code::MessageSizeTooLarge));
        held.lost(failed(Code::MessageTimedOut));
        held.lost(failed(Code::PurgeInflight));
    });
    assert_eq!(receipts.failed(), Some(failed(Code::MessageSizeTooLarge)));
    receipts.clear();
    assert_eq!(receipts.failed(), None);
}
