use cdc_sdk::gtid::Origin;
use cdc_sdk::{GtidSet, Kind};

use super::{blocks, failure};

fn server(code: u16, message: &str) -> Kind {
    let error = mysql_async::ServerError { code, message: message.into(), state: "HY000".into() };
    failure(mysql_async::Error::Server(error)).kind()
}

#[test]
fn error_1236_is_told_apart_by_its_text() {
    // Texts of 5.7, 8.0 and 9.7.
    for (message, kind) in [
        (
            "Cannot replicate because the source purged required binary logs. Replicate the missing transactions from elsewhere",
            Kind::Purged,
        ),
        (
            "The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has purged binary logs containing GTIDs that the slave requires.",
            Kind::Purged,
        ),
        ("Could not find first log file name in binary log index file", Kind::Purged),
        ("could not find next log", Kind::Purged),
        ("Replica has more GTIDs than the source has, using the source's SERVER_UUID.", Kind::Diverged),
        (
            "Client requested source to start replication from impossible position; the first event 'x' at 4",
            Kind::Diverged,
        ),
        (
            "A replica with the same server_uuid/server_id as this replica has connected to the source; the first event",
            Kind::Fenced,
        ),
        ("log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source", Kind::Unfit),
        ("bogus data in log event; the first event", Kind::BinlogCorrupt),
        ("binlog truncated in the middle of event; consider out of disk space", Kind::BinlogCorrupt),
        (
            "The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE = OFF",
            Kind::Unfit,
        ),
        (
            "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file ./binlog.000004, position 158.",
            Kind::Purged,
        ),
        ("something else", Kind::MysqlRefused),
    ] {
        assert_eq!(server(1236, message), kind, "{message}");
    }
    assert_eq!(server(1227, "Access denied"), Kind::MysqlDenied);
    assert_eq!(server(1053, "Server shutdown in progress"), Kind::MysqlUnreachable);
    assert_eq!(server(1064, "syntax"), Kind::MysqlRefused);
}

#[test]
fn a_set_is_asked_for_with_exclusive_ends_and_tags() {
    let set: GtidSet = "11111111-1111-1111-1111-111111111111:1-5:7:tag_a:1".parse().unwrap();
    let blocks = blocks(&set).unwrap();
    let intervals: Vec<_> = blocks[0].intervals().iter().map(|i| (i.start(), i.end())).collect();
    assert_eq!(intervals, [(1, 6), (7, 8)]);
    assert!(blocks[0].tag().is_none());
    assert_eq!(blocks[1].tag().unwrap().as_str(), "tag_a");
    assert!(super::block(&Origin { uuid: [0; 16], tag: "9x".into() }, &[(1, 1)]).is_err());
}
