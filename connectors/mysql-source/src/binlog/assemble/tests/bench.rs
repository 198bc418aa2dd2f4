//! From the log's bytes to a row's values, timed: `make microbench`.

use bytes::Bytes;
use cdc_sdk::{Op, Row, RowChange};

use super::super::Assembler;
use super::replay::{assembler, file, start, step};
use crate::binlog::BinlogEvent;
use crate::binlog::event::kind;
use crate::binlog::frame::{CRC32, Frame};
use crate::decode::RowImage;
use crate::hot_path::measure;

/// An inserting transaction of 100 rows of 200 bytes, then one that updates 10 of them.
const RECORDED: &str = "hundred_rows.binlog";

/// The file's events as they come from the server.
fn events() -> Vec<Bytes> {
    let mut rest = Bytes::from(file(RECORDED)).slice(4..);
    let mut events = Vec::new();
    while let Some(size) = rest.get(9..13) {
        let size = u32::from_le_bytes(size.try_into().unwrap());
        events.push(rest.split_to(size.try_into().unwrap()));
    }
    events
}

fn take(assembler: &mut Assembler, event: &Bytes, mut row: impl FnMut(&RowChange<RowImage<'_>>)) -> u64 {
    let frame = Frame::read(event.clone(), &mut Some(CRC32)).unwrap();
    let mut count = 0;
    step(assembler, frame, |_, event| {
        if let BinlogEvent::Rows(mut rows) = event {
            while let Some(change) = rows.next_row()? {
                row(&change);
                count += 1;
            }
        }
        Ok(())
    })
    .unwrap();
    count
}

/// An assembler within the transaction that does this, and the events of its statement: taken again and again, they
/// are those of a very long transaction.
fn statement(op: u8) -> (Assembler, Vec<Bytes>) {
    let mut assembler = assembler(start());
    let (mut inside, mut done) = (Vec::new(), false);
    for event in events() {
        let kind = event[4];
        if kind == kind::TABLE_MAP || kind == op {
            inside.push(event.clone());
        }
        done |= kind == op;
        if done && kind == kind::XID {
            break;
        }
        if kind == kind::XID {
            inside.clear();
        }
        take(&mut assembler, &event, |_| ());
    }
    (assembler, inside)
}

fn visit(change: &RowChange<RowImage<'_>>) {
    for image in [&change.before, &change.after].into_iter().flatten() {
        image
            .visit(|_, value| {
                std::hint::black_box(value);
                Ok(())
            })
            .unwrap();
    }
}

#[ignore = "a measurement: make microbench"]
#[test]
fn hot_path_decode() {
    for (name, op, rows) in [("inserted", kind::WRITE_ROWS, 100), ("updated", kind::UPDATE_ROWS, 10)] {
        let (mut assembler, events) = statement(op);
        let counted = measure(&format!("decode: rows {name}, from the log's events to values"), rows, || {
            let taken: u64 = events.iter().map(|event| take(&mut assembler, event, visit)).sum();
            assert_eq!(taken, rows);
        });
        assert!(counted <= 4 * events.len() as u64, "{counted} allocations for {} events", events.len());
    }
}

/// What is asked of the allocator is for the event: its rows share it.
#[test]
fn a_row_of_the_log_allocates_nothing() {
    let (mut assembler, events) = statement(kind::WRITE_ROWS);
    let (mut seen, mut count) = (0, 0);
    for event in &events {
        seen += take(&mut assembler, event, |change| {
            assert_eq!(change.op, Op::Create);
            count += allocation_counter::measure(|| visit(change)).count_total;
        });
    }
    assert_eq!((seen, count), (100, 0));
}
