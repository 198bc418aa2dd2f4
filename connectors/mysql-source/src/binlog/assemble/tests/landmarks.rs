//! A log that has other things under the same names and numbers is not read on.

use cdc_sdk::position::Landmark;
use cdc_sdk::{Kind, Position};

use super::replay::{assembler, file, frames, start, step, told};
use crate::binlog::BinlogEvent;
use crate::binlog::event::kind;
use crate::binlog::frame::{Frame, Header};

/// The positions after each transaction of a recorded log.
fn positions(name: &str, from: Position) -> Vec<Position> {
    let mut assembler = assembler(from);
    let mut all = Vec::new();
    for frame in frames(&file(name)).unwrap() {
        step(&mut assembler, frame, |assembler, event| {
            if let BinlogEvent::Commit(_) = event {
                all.push(assembler.position().clone());
            }
            Ok(())
        })
        .unwrap();
    }
    all
}

#[test]
fn a_transaction_of_another_time_is_another() {
    for name in ["every_kind.binlog", "xa.binlog"] {
        for mut position in positions(name, start()) {
            assert!(told(frames(&file(name)).unwrap(), position.clone()).is_ok());
            let Some(Landmark::Transaction { committed_us, .. }) = &mut position.landmark else {
                panic!("no landmark: {position:?}");
            };
            *committed_us += 1;
            let error = told(frames(&file(name)).unwrap(), position.clone()).unwrap_err();
            assert_eq!(error.kind(), Kind::Diverged, "{error}");
            // A server before 8.0.1 does not tell when it committed.
            position.landmark = position.landmark.map(|landmark| match landmark {
                Landmark::Transaction { gtid, .. } => Landmark::Transaction { gtid, committed_us: 0 },
                file => file,
            });
            assert!(told(frames(&file(name)).unwrap(), position).is_ok());
        }
    }
}

#[test]
fn a_file_begun_at_another_time_is_another() {
    let by_file = Position { gtids: None, file: String::new(), ..start() };
    for mut position in positions("no_gtids.binlog", by_file) {
        assert!(told(frames(&file("no_gtids.binlog")).unwrap(), position.clone()).is_ok());
        let Some(Landmark::File { begun_s }) = &mut position.landmark else {
            panic!("no landmark: {position:?}");
        };
        *begun_s += 1;
        // As `reads_from` is before the place, its file is named as the server names it.
        let error = told(frames(&file("no_gtids.binlog")).unwrap(), position).unwrap_err();
        assert_eq!(error.kind(), Kind::Diverged, "{error}");
    }
}

/// A ROTATE that is in no file: the server says which one it sends next.
fn announcement(name: &str) -> Frame {
    let mut body = 4u64.to_le_bytes().to_vec();
    body.extend_from_slice(name.as_bytes());
    Frame::made(Header { kind: kind::ROTATE, size: 40, ..Header::default() }, body)
}

#[test]
fn without_gtids_a_file_that_is_announced_moves_the_position() {
    // As a server leaves its last file that is killed.
    let whole =
        || frames(&file("no_gtids.binlog")).unwrap().into_iter().filter(|of| of.header.kind != kind::ROTATE);
    let mut assembler = assembler(Position { gtids: None, ..start() });
    for frame in std::iter::once(announcement("binlog.1")).chain(whole()) {
        step(&mut assembler, frame, |_, _| Ok(())).unwrap();
    }
    assert_eq!(assembler.position().file, "binlog.1");
    let begun = assembler.position().landmark.clone();
    assert!(matches!(begun, Some(Landmark::File { .. })));
    // The server was stopped, so its last file does not end with the name of the next.
    step(&mut assembler, announcement("binlog.2"), |_, _| Ok(())).unwrap();
    assert_eq!((assembler.position().file.as_str(), assembler.position().pos), ("binlog.2", 4));
    assert_eq!(assembler.position().landmark, None);
    step(&mut assembler, whole().next().unwrap(), |_, _| Ok(())).unwrap();
    assert_eq!(assembler.position().landmark, begun);
}
