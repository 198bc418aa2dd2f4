use cdc_sdk::Fate;

use super::*;

#[test]
fn codes_have_the_fate_that_a_restart_would_meet() {
    assert_eq!(kind_of(Code::Fenced), Kind::Fenced);
    assert_eq!(kind_of(Code::UnknownTopicOrPartition), Kind::TopicChanged);
    assert_eq!(kind_of(Code::AutoOffsetReset), Kind::EventsMissing);
    assert_eq!(kind_of(Code::MessageSizeTooLarge).fate(), Fate::Halt);
    assert_eq!(kind_of(Code::BrokerTransportFailure).fate(), Fate::Retry);
    assert_eq!(kind_of(Code::MessageTimedOut).fate(), Fate::Retry);
    assert_eq!(kind_of(Code::NotEnoughReplicas).fate(), Fate::Retry);
    assert_eq!(kind_of(Code::InvalidReplicationFactor).fate(), Fate::Retry);
}

#[test]
fn an_error_names_what_was_done_and_where() {
    let error = error(Code::TopicAuthorizationFailed, "reading topic t", "k1:9092,k2:9092");
    assert_eq!(error.kind(), Kind::KafkaRefused);
    assert!(error.what().contains("reading topic t"), "{error}");
    assert!(error.what().contains("k1:9092,k2:9092"), "{error}");
    assert!(error.hint_text().is_some());
}

#[test]
fn an_admin_error_keeps_its_code() {
    // rdkafka's own accessor answers None here.
    assert_eq!(code_of(&KafkaError::AdminOp(Code::NotController)), Code::NotController);
    assert_eq!(code_of(&KafkaError::Canceled), Code::Fail);
}
