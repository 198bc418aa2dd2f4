//! Starting again: after each transaction, and after each row in one.

use bytes::Bytes;
use cdc_sdk::{Kind, Position};

use super::replay::{assembler, compressed, file, frames, start, step, told};
use crate::binlog::BinlogEvent;
use crate::binlog::frame::{Frame, Header, Home};
use crate::binlog::reader::Reader;

/// A recorded log, and the same as if its transactions had been compressed.
fn both(name: &str) -> [Vec<Frame>; 2] {
    let frames = || frames(&file(name)).unwrap();
    [frames(), compressed(frames())]
}

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
fn what_was_delivered_is_left_out_by_gtid() {
    for name in ["every_kind.binlog", "xa.binlog"] {
        let whole = told(frames(&file(name)).unwrap(), start()).unwrap();
        for position in positions(name, start()) {
            let end = format!("commit at {}\n", position.pos);
            let (_, expected) = whole.split_once(&end).unwrap();
            for frames in both(name) {
                let rest = told(frames, position.clone()).unwrap();
                assert!(rest == expected, "from {position:?}:\n{rest}");
            }
        }
    }
}

#[test]
fn what_was_delivered_is_left_out_by_offset_in_a_long_file() {
    let from = Position { gtids: None, ..start() };
    let whole = told(frames(&file("no_gtids.binlog")).unwrap(), from.clone()).unwrap();
    for position in positions("no_gtids.binlog", from) {
        let (_, expected) = whole.split_once(&format!("commit at {}\n", position.pos)).unwrap();
        for frames in both("no_gtids.binlog") {
            let rest = told(frames, position.clone()).unwrap();
            assert!(rest == expected, "from {position:?}:\n{rest}");
        }
    }
}

#[test]
fn inside_a_transaction_it_goes_on_at_the_next_row() {
    goes_on_at_each_row("every_kind.binlog", &start(), 16);
    goes_on_at_each_row("partial_json.binlog", &start(), 10);
    goes_on_at_each_row("xa.binlog", &start(), 6);
    goes_on_at_each_row("no_gtids.binlog", &Position { gtids: None, ..start() }, 5);
}

fn goes_on_at_each_row(name: &str, from: &Position, rows_min: usize) {
    for compress in [false, true] {
        goes_on_at_each_row_of(name, compress, from, rows_min);
    }
}

fn goes_on_at_each_row_of(name: &str, compress: bool, from: &Position, rows_min: usize) {
    // All rows of captured tables, and how far each was into its transaction.
    let walk = |from: Position| -> cdc_sdk::Result<Vec<(Position, String)>> {
        let mut assembler = assembler(from);
        let mut all = Vec::new();
        let frames = frames(&file(name)).unwrap();
        for frame in if compress { compressed(frames) } else { frames } {
            step(&mut assembler, frame, |assembler, event| {
                let BinlogEvent::Rows(mut rows) = event else { return Ok(()) };
                while let Some(change) = rows.next_row()? {
                    let row = format!("{change:?}");
                    let partial = Some(rows.partial()?);
                    all.push((Position { partial, ..assembler.position().clone() }, row));
                }
                Ok(())
            })?;
        }
        Ok(all)
    };
    let all = walk(from.clone()).unwrap();
    assert!(all.len() >= rows_min, "{name}: {} rows", all.len());
    for (index, (position, _)) in all.iter().enumerate() {
        let rest = walk(position.clone()).unwrap();
        let expected: Vec<_> = all[index + 1..].iter().map(|(_, row)| row).collect();
        assert_eq!(rest.iter().map(|(_, row)| row).collect::<Vec<_>>(), expected);
        let mut other = position.clone();
        other.partial.as_mut().unwrap().hash ^= 1 << 17;
        assert_eq!(walk(other).unwrap_err().kind(), Kind::ResumeMismatch);
        let mut longer = position.clone();
        longer.partial.as_mut().unwrap().rows += 1000;
        assert_eq!(walk(longer).unwrap_err().kind(), Kind::ResumeMismatch);
    }
}

#[test]
fn a_compressed_transaction_ends_with_its_last_event() {
    let mut frames = compressed(frames(&file("every_kind.binlog")).unwrap());
    let last = frames.iter_mut().find(|frame| frame.home == Home::Payload { last: true }).unwrap();
    last.home = Home::Payload { last: false };
    let error = told(frames, start()).unwrap_err();
    assert!(error.to_string().contains("behind its end"), "{error}");
}

#[test]
fn rows_that_are_held_keep_nothing_else_in_memory() {
    let log = Bytes::from(file("xa.binlog"));
    let mut assembler = assembler(start());
    let (mut at, mut algorithm, mut held) = (4, None, 0);
    while at < log.len() {
        let header = Header::read(&mut Reader::new(&log[at..])).unwrap();
        let end = at + usize::try_from(header.size).unwrap();
        let event = log.slice(at..end);
        at = end;
        let frame = Frame::read(event, &mut algorithm).unwrap();
        let begins = frame.body().windows(8).any(|part| part == b"XA START");
        held += u32::from(begins);
        step(&mut assembler, frame, |_, _| Ok(())).unwrap();
        assert!(log.is_unique(), "after the event that ends at {at}");
    }
    assert!(held > 0);
}
