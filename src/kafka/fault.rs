//! librdkafka's error codes in the words of this program.
//!
//! The question for each code is what a restart would do about it. Codes that a
//! restart cannot mend are listed; every other one, known or not, is taken as
//! trouble on the way to Kafka and tried again, which the pipeline does a bounded
//! number of times.

use cdc_sdk::{Error, Kind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What kind of error a code is.
pub(super) fn kind_of(code: Code) -> Kind {
    if FENCED.contains(&code) {
        Kind::Fenced
    } else if GONE.contains(&code) {
        Kind::TopicChanged
    } else if VANISHED.contains(&code) {
        Kind::EventsMissing
    } else if REFUSED.contains(&code) {
        Kind::KafkaRefused
    } else {
        Kind::KafkaUnreachable
    }
}

/// Whether the brokers may yet answer.
pub(super) fn is_passing(cause: &KafkaError) -> bool {
    kind_of(code_of(cause)) == Kind::KafkaUnreachable
}

/// A younger producer with the same transactional id is at work (KIP-98, KIP-588).
const FENCED: &[Code] = &[Code::Fenced, Code::ProducerFenced, Code::InvalidProducerEpoch];

/// The topic or the partition does not exist.
const GONE: &[Code] = &[
    Code::UnknownTopic,
    Code::UnknownPartition,
    Code::UnknownTopicOrPartition,
    Code::UnknownTopicId,
    Code::InvalidTopic,
];

/// The offset asked for is not in the partition, or what is there cannot be read:
/// librdkafka goes on behind a batch whose checksum is wrong.
const VANISHED: &[Code] = &[
    Code::AutoOffsetReset,
    Code::OffsetOutOfRange,
    Code::NoOffset,
    Code::LogTruncation,
    Code::BadMessage,
    Code::BadCompression,
];

/// What a reader may pass over, since librdkafka goes on trying from the same offset.
/// Any other code, known or not, stops the read.
const MENDED_BY_LIBRARY: &[Code] = &[
    Code::AllBrokersDown,
    Code::BrokerDestroy,
    Code::BrokerNotAvailable,
    Code::BrokerTransportFailure,
    Code::CoordinatorLoadInProgress,
    Code::CoordinatorNotAvailable,
    Code::DestroyBroker,
    Code::FencedLeaderEpoch,
    Code::KafkaStorageError,
    Code::LeaderNotAvailable,
    Code::NetworkException,
    Code::NotCoordinator,
    Code::NotLeaderForPartition,
    Code::OffsetNotAvailable,
    Code::OperationTimedOut,
    Code::PartitionEOF,
    Code::ReplicaNotAvailable,
    Code::RequestTimedOut,
    Code::Resolve,
    Code::SSL,
    Code::TimedOutQueue,
    Code::UnknownLeaderEpoch,
    // Groups are not used; librdkafka only looks for their coordinator.
    Code::GroupAuthorizationFailed,
];

/// Whether a reader may go on after this code.
pub(super) fn is_mended_by_library(code: Code) -> bool {
    MENDED_BY_LIBRARY.contains(&code)
}

/// Whether it says that a topic or a partition does not exist.
pub(super) fn is_gone(code: Code) -> bool {
    GONE.contains(&code)
}

/// The broker or the library says no, and would say so again.
const REFUSED: &[Code] = &[
    Code::Authentication,
    Code::SaslAuthenticationFailed,
    Code::UnsupportedSASLMechanism,
    Code::TopicAuthorizationFailed,
    Code::GroupAuthorizationFailed,
    Code::ClusterAuthorizationFailed,
    Code::TransactionalIdAuthorizationFailed,
    Code::SecurityDisabled,
    Code::MessageSizeTooLarge,
    Code::MessageBatchTooLarge,
    Code::InvalidMessageSize,
    Code::InvalidRecord,
    Code::InvalidTimestamp,
    Code::InvalidRequiredAcks,
    Code::InvalidTransactionTimeout,
    // Not `InvalidReplicationFactor`: a broker that has just started does not count yet, one that is down neither.
    Code::InvalidReplicaAssignment,
    Code::InvalidPartitions,
    Code::InvalidConfig,
    Code::InvalidRequest,
    Code::InvalidArgument,
    Code::PolicyViolation,
    Code::TopicDeletionDisabled,
    Code::UnsupportedVersion,
    Code::UnsupportedFeature,
    Code::UnsupportedForMessageFormat,
    Code::UnsupportedCompressionType,
];

/// The code in an error of rdkafka; `Fail` where it carries none.
pub(super) fn code_of(error: &KafkaError) -> Code {
    match error {
        KafkaError::AdminOp(code) => *code,
        other => other.rdkafka_error_code().unwrap_or(Code::Fail),
    }
}

/// What the operator can do about an error of this kind from Kafka.
pub(super) fn hint(kind: Kind, code: Code) -> &'static str {
    match (kind, code) {
        (_, Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize) => {
            "raise max.message.bytes of the topic (message.max.bytes of the brokers) above the size shown"
        }
        (_, Code::InvalidTimestamp) => {
            "set this machine's clock, or let the brokers stamp the records: message.timestamp.type = LogAppendTime \
             on the topic, as on those that cdc makes"
        }
        (_, Code::InvalidTransactionTimeout) => {
            "lower transaction.timeout.ms in [kafka.options] to transaction.max.timeout.ms of the brokers"
        }
        (_, Code::InvalidReplicationFactor) => {
            "see that all brokers run, or lower topics.replication_factor to their number (-1: their default)"
        }
        (_, Code::InvalidRecord) => {
            "was the topic's cleanup.policy changed? a compacted topic takes no record without a key: start again, the error is a \
             clearer one then"
        }
        (Kind::EventsMissing, Code::BadMessage | Code::BadCompression) => {
            "the records' bytes are damaged: see the brokers' disks, and restore the partition from another replica; else take a new \
             snapshot"
        }
        (Kind::Fenced, _) => {
            "another instance of the same name, or source of the same topic prefix, is at work; this one stands by"
        }
        (Kind::TopicChanged, _) => "was the topic deleted or made anew? restore it, or take a new snapshot",
        (Kind::EventsMissing, _) => {
            "retention took the records away: take a new snapshot, and keep the topic longer (retention.ms)"
        }
        (Kind::KafkaRefused, _) => "check the account in [kafka.options], its ACLs, and the brokers' limits",
        _ => "check that the brokers run and that this machine reaches every address they advertise",
    }
}

/// An error of this code while doing something. The caller adds what it knows.
pub(super) fn error(code: Code, doing: &str, bootstrap_servers: &str) -> Error {
    let kind = kind_of(code);
    Error::new(kind, format!("{doing}: {code} (Kafka at {bootstrap_servers})")).hint(hint(kind, code))
}

#[cfg(test)]
mod tests;
