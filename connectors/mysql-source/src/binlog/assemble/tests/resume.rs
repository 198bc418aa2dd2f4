//! Starting again: after each transaction, and after each row in one.

use cdc_sdk::{Kind, Position};

use super::replay::{assembler, file, frames, start, step, told};
use crate::binlog::BinlogEvent;

/// The positions after each transaction of a recorded log.
fn positions(name: &str, from: Position) -> Vec<Position> {
    let mut assembler = assembler(from);
    let mut all = Vec::new();
    for frame in frames(&file(name)).unwrap() {
        step(&mut assembler, frame, |assembler, event| {
            if let BinlogEvent::Commit(commit) = event {
                assert_eq!(assembler.position(), &commit.position);
                all.push(commit.position);
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
            let rest = told(frames(&file(name)).unwrap(), position.clone()).unwrap();
            let end = format!("commit at {}\n", position.pos);
            let (_, expected) = whole.split_once(&end).unwrap();
            assert!(rest == expected, "from {position:?}:\n{rest}");
        }
    }
}

#[test]
fn what_was_delivered_is_left_out_by_offset_in_a_long_file() {
    let from = Position { gtids: None, ..start() };
    let whole = told(frames(&file("no_gtids.binlog")).unwrap(), from.clone()).unwrap();
    for position in positions("no_gtids.binlog", from) {
        let rest = told(frames(&file("no_gtids.binlog")).unwrap(), position.clone()).unwrap();
        let (_, expected) = whole.split_once(&format!("commit at {}\n", position.pos)).unwrap();
        assert!(rest == expected, "from {position:?}:\n{rest}");
    }
}

#[test]
fn inside_a_transaction_it_goes_on_at_the_next_row() {
    goes_on_at_each_row("every_kind.binlog", 16);
    goes_on_at_each_row("partial_json.binlog", 10);
    goes_on_at_each_row("xa.binlog", 6);
}

fn goes_on_at_each_row(name: &str, rows_min: usize) {
    // All rows of captured tables, and how far each was into its transaction.
    let walk = |from: Position| -> cdc_sdk::Result<Vec<(Position, String)>> {
        let mut assembler = assembler(from);
        let mut all = Vec::new();
        for frame in frames(&file(name)).unwrap() {
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
    let all = walk(start()).unwrap();
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
