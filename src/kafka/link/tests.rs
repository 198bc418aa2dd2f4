use super::*;

#[test]
fn a_time_out_tells_the_reason_given_beside_it() {
    let link = Link::new("k:9092");
    link.error(KafkaError::Global(Code::BrokerTransportFailure), "Connect failed: refused");
    link.error(KafkaError::Global(Code::AllBrokersDown), "1/1 brokers are down");
    let error = link.fault(Code::OperationTimedOut, "opening the publisher");
    assert_eq!(error.kind(), Kind::KafkaUnreachable);
    assert!(error.to_string().contains("Connect failed: refused"), "{error}");
    assert!(link.bad_since().is_some());
    link.answered();
    assert!(link.bad_since().is_none());
}

#[test]
fn a_time_out_because_of_a_password_is_a_refusal() {
    let link = Link::new("k:9092");
    link.error(KafkaError::Global(Code::Authentication), "SASL authentication error");
    assert_eq!(link.fault(Code::OperationTimedOut, "x").kind(), Kind::KafkaRefused);
}

#[test]
fn a_partitions_errors_and_groups_are_not_the_lines() {
    let link = Link::new("k:9092");
    link.error(
        KafkaError::Global(Code::PartitionEOF),
        "Fetch from broker 1 reached end of partition at offset 70 (HighwaterMark 75)",
    );
    assert_eq!(link.end_seen(), 70);
    link.error(KafkaError::Global(Code::AutoOffsetReset), "gone");
    link.error(KafkaError::Global(Code::GroupAuthorizationFailed), "no");
    assert!(link.bad_since().is_none());
}

#[test]
fn an_erroneous_state_tells_what_ended_the_transaction() {
    let link = Link::new("k:9092");
    link.log(RDKafkaLogLevel::Error, "TXNERR", "Current transaction failed: record too old");
    assert!(link.fault(Code::State, "sending").to_string().contains("record too old"));
    link.transaction_begins();
    assert!(!link.fault(Code::State, "sending").to_string().contains("record too old"));
}
