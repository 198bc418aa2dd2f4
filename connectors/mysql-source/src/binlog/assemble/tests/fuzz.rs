//! Recorded logs with every kind of damage behind the checksum's back: an error or other rows, never a
//! panic, and never more memory than a fixed number of times what came. `make fuzz` runs more of it.

use proptest::prelude::*;

use super::replay::{assembler, file, frames, start, step};
use crate::binlog::BinlogEvent;
use crate::binlog::event::kind;
use crate::binlog::frame::{Frame, Header};
use crate::damage::{damaged, damages, memory_of};
use crate::decode::{Codec, patched};

const FILES: [&str; 5] =
    ["every_kind.binlog", "no_checksum.binlog", "no_gtids.binlog", "partial_json.binlog", "xa.binlog"];
/// Bytes of memory for a byte of log: values of a table's columns take most.
const MEMORY_MAX: u64 = 40;
/// What is kept besides: maps, buffers that are used again.
const MEMORY_BASE: u64 = 256 << 10;

/// What is taken beside a document.
const JSON_MEMORY_BASE: u64 = 4 << 10;

/// `{"a": [1, "x"], "b": null}` in the form of small documents, and in that of large ones.
fn documents() -> [Vec<u8>; 2] {
    let small = vec![
        0, 2, 0, 33, 0, 18, 0, 1, 0, 19, 0, 1, 0, 2, 20, 0, 4, 0, 0, b'a', b'b', 2, 0, 12, 0, 5, 1, 0, 12,
        10, 0, 1, b'x', 0,
    ];
    let large = patched(&small, &differences()).unwrap();
    [small, large]
}

/// `$.a[1]` and `$.b` become 7.
fn differences() -> Vec<u8> {
    let one = |path: &str| {
        let mut bytes = vec![0, u8::try_from(path.len()).unwrap()];
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(&[3, 5, 7, 0]);
        bytes
    };
    [one("$.a[1]"), one("$.b")].concat()
}

/// Reads all values of what the events say, up to the first error.
fn read(frames: Vec<Frame>) -> cdc_sdk::Result<()> {
    let mut assembler = assembler(start());
    for frame in frames {
        step(&mut assembler, frame, |_, event| {
            let BinlogEvent::Rows(mut rows) = event else { return Ok(()) };
            while let Some(change) = rows.next_row()? {
                for image in [change.before, change.after].into_iter().flatten() {
                    cdc_sdk::Row::visit(&image, |_, _| Ok(()))?;
                }
            }
            rows.partial().map(drop)
        })?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_events(
        name in prop::sample::select(&FILES[..]),
        at in any::<prop::sample::Index>(),
        wrong in damages(),
        other_kind in prop::option::weighted(0.1, 0u8..45),
    ) {
        let mut all = frames(&file(name)).unwrap();
        let size: usize = all.iter().map(|frame| frame.body().len()).sum();
        let at = at.index(all.len());
        let body = damaged(all[at].body(), &wrong);
        let header = all[at].header;
        // Without a format nothing is read at all.
        prop_assume!(header.kind != kind::FORMAT_DESCRIPTION);
        let most = (size + body.len()) as u64 * MEMORY_MAX + MEMORY_BASE;
        all[at] = Frame::made(Header { kind: other_kind.unwrap_or(header.kind), ..header }, body);
        let taken = memory_of(|| drop(read(all)));
        prop_assert!(taken <= most, "{taken} bytes of memory for {size}");
    }

    #[test]
    fn fuzz_json(at in 0..2usize, wrong in damages()) {
        let document = &documents()[at];
        let mut bytes = document.clone();
        bytes.extend(differences());
        let bytes = damaged(&bytes, &wrong);
        let (document, differences) = bytes.split_at(document.len().min(bytes.len()));
        let most = bytes.len() as u64 * MEMORY_MAX + JSON_MEMORY_BASE;
        let taken = memory_of(|| {
            let mut text = Vec::new();
            let _ = Codec::Json { marked: true }.read(document, &mut text);
            if let Ok(changed) = patched(document, differences) {
                let _ = Codec::Json { marked: true }.read(&changed, &mut text);
            }
        });
        prop_assert!(taken <= most, "{taken} bytes of memory for {}: {bytes:?}", bytes.len());
    }

    #[test]
    fn fuzz_files(name in prop::sample::select(&FILES[..]), wrong in damages()) {
        let whole = file(name);
        let bytes = damaged(&whole, &wrong);
        let most = bytes.len() as u64 * MEMORY_MAX + MEMORY_BASE;
        let taken = memory_of(|| {
            if let Ok(frames) = frames(&bytes) {
                drop(read(frames));
            }
        });
        prop_assert!(taken <= most, "{taken} bytes of memory for {}", bytes.len());
    }
}
