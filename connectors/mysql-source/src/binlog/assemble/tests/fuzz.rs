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

/// `{"a": [1, "x"], "b": null}` in the form of small documents, and in that of large ones; then what else there is.
fn documents() -> Vec<Vec<u8>> {
    let small = vec![
        0, 2, 0, 33, 0, 18, 0, 1, 0, 19, 0, 1, 0, 2, 20, 0, 4, 0, 0, b'a', b'b', 2, 0, 12, 0, 5, 1, 0, 12,
        10, 0, 1, b'x', 0,
    ];
    let large = patched(&small, &differences()).unwrap();
    vec![small, large, scalars(), nested()]
}

/// An array in the form of large documents, with its kind before it. What is not in place of its offset lies behind.
fn array(elements: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let (mut entries, mut values) = (Vec::new(), Vec::new());
    for (kind, bytes) in elements {
        entries.push(*kind);
        if matches!(kind, 4..=8) {
            let mut inline = bytes.clone();
            inline.resize(4, 0);
            entries.extend(inline);
        } else {
            entries.extend(word(8 + elements.len() * 5 + values.len()));
            values.extend_from_slice(bytes);
        }
    }
    let size = 8 + entries.len() + values.len();
    [&[3][..], &word(elements.len()), &word(size), &entries, &values].concat()
}

/// Every kind of scalar: numbers of each width, texts that are long and full of signs, values of MySQL's own types.
fn scalars() -> Vec<u8> {
    let long = |text: &[u8]| [&[(text.len() & 0x7f) as u8 | 0x80, (text.len() >> 7) as u8], text].concat();
    let own = |field: u8, bytes: &[u8]| (15, [&[field, u8::try_from(bytes.len()).unwrap()], bytes].concat());
    let date = (((2024u64 * 13 + 2) << 5 | 29) << 17 | 23 << 12) << 24 | 999_999;
    array(&[
        (4, vec![1]),
        (5, (-7i16).to_le_bytes().to_vec()),
        (6, vec![255, 255]),
        (7, i32::MIN.to_le_bytes().to_vec()),
        (8, vec![255; 4]),
        (9, i64::MIN.to_le_bytes().to_vec()),
        (10, vec![255; 8]),
        (11, 5e-324f64.to_le_bytes().to_vec()),
        (11, f64::MAX.to_le_bytes().to_vec()),
        (12, long(&[b'\x01'; 300])),
        (12, long("é\"\\\n".repeat(2000).as_bytes())),
        own(246, &[5, 2, 0x80, 0x7b, 0x2d]),
        own(246, &[&[65, 30, 0x80, 0, 0, 7][..], &[5, 0xf5, 0xe0, 0xff].repeat(6), &[3, 0xe7]].concat()),
        own(10, &date.to_le_bytes()),
        own(12, &date.to_le_bytes()),
        own(7, &date.to_le_bytes()),
        own(11, &(-((838i64 << 12 | 59 << 6 | 59) << 24)).to_le_bytes()),
        own(252, &[0xe9; 100]),
        own(16, &[1, 2]),
    ])
}

/// As deep as the server makes it.
fn nested() -> Vec<u8> {
    let mut inner = array(&[(5, vec![7, 0])]);
    for _ in 1..100 {
        inner = array(&[(inner[0], inner[1..].to_vec())]);
    }
    inner
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

#[test]
fn the_documents_are_read_before_they_are_damaged() {
    for document in documents() {
        let mut text = Vec::new();
        let read = Codec::Json { marked: true }.read(&document, &mut text);
        assert!(read.is_ok(), "{read:?}");
    }
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
    fn fuzz_json(document in prop::sample::select(documents()), wrong in damages()) {
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
