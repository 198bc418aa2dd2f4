//! What recorded logs say, and that no damage to them is taken for anything.

use cdc_sdk::Kind;
use proptest::prelude::*;

use super::replay::{assembler, compressed, file, frames, start, step, told};
use crate::binlog::frame::{Frame, Header};

const FILES: [&str; 5] = ["every_kind", "no_checksum", "no_gtids", "partial_json", "xa"];

/// Those that are read by GTID.
const WITH_GTIDS: [&str; 3] = ["every_kind.binlog", "partial_json.binlog", "xa.binlog"];

/// `UPDATE_GOLDEN=1` writes what is said now.
#[test]
fn recorded_logs_say_what_they_said() {
    for name in FILES {
        let said = told(frames(&file(&format!("{name}.binlog"))).unwrap(), start()).unwrap();
        let path = format!("{}/../../tests/golden/binlog/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert!(said == expected, "{name} says now:\n{said}");
        let said = told(compressed(frames(&file(&format!("{name}.binlog"))).unwrap()), start()).unwrap();
        assert!(said == expected, "{name}, compressed, says now:\n{said}");
    }
}

/// Whether the damage hit the type of the format description, without which no
/// checksum is known: the assembler then takes nothing.
fn described_late(damaged: &[u8]) -> bool {
    frames(damaged)
        .is_ok_and(|frames| told(frames, start()).is_err_and(|error| error.kind() == Kind::BinlogCorrupt))
}

#[test]
fn any_flipped_bit_is_seen() {
    let whole = file("every_kind.binlog");
    for at in 4..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        // The flag that the file is in use is no part of the checksum.
        let in_use = at == 4 + 17;
        let seen = frames(&damaged).is_err() || described_late(&damaged);
        assert!(seen || in_use, "byte {at} was missed");
    }
}

/// As in the log, for a body that is damaged behind the checksum's back.
fn damaged(name: &str, at_event: usize, body: Vec<u8>) -> cdc_sdk::Result<()> {
    let whole = file(name);
    let mut assembler = assembler(start());
    let mut body = Some(body);
    for (index, frame) in frames(&whole).unwrap().into_iter().enumerate() {
        let frame = if index == at_event {
            let header = Header { ..frame.header };
            Frame::made(header, body.take().unwrap_or_default())
        } else {
            frame
        };
        step(&mut assembler, frame, |_, event| {
            if let crate::binlog::BinlogEvent::Rows(mut rows) = event {
                while let Some(change) = rows.next_row()? {
                    for image in [change.before, change.after].into_iter().flatten() {
                        cdc_sdk::Row::visit(&image, |_, _| Ok(()))?;
                    }
                }
                rows.partial()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn an_event_cut_short_is_an_error_and_no_panic() {
    for name in WITH_GTIDS {
        let whole = frames(&file(name)).unwrap();
        for (index, frame) in whole.iter().enumerate() {
            let body = frame.body();
            for length in (0..body.len()).rev().take(400) {
                let _ = damaged(name, index, body[..length].to_vec());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_behind_the_checksum_never_panics(name in prop::sample::select(&WITH_GTIDS), event in 0usize..120, at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let whole = frames(&file(name)).unwrap();
        let index = event % whole.len();
        let mut body = whole[index].body().to_vec();
        prop_assume!(!body.is_empty());
        let at = at.index(body.len());
        body[at] = value;
        let _ = damaged(name, index, body);
    }
}

#[test]
fn an_unknown_event_stops_unless_it_may_be_ignored() {
    let mut assembler = assembler(cdc_sdk::Position { gtids: None, ..start() });
    let format = frames(&file("every_kind.binlog")).unwrap().swap_remove(0);
    assembler.take(format).unwrap();
    let header = |flags| Header { kind: 99, size: 23, log_pos: 27, flags, ..Header::default() };
    assert!(assembler.take(Frame::made(header(0x80), vec![1, 2, 3, 4])).unwrap().is_none());
    let error = assembler.take(Frame::made(header(0), vec![1, 2, 3, 4])).unwrap_err();
    assert_eq!(error.kind(), Kind::BinlogUnsupported);
    assert!(error.what().starts_with("binlog.1:"), "{error}");
}

#[test]
fn without_gtids_what_is_prepared_is_refused() {
    let by_place = cdc_sdk::Position { gtids: None, ..start() };
    let error = told(frames(&file("xa.binlog")).unwrap(), by_place).unwrap_err();
    assert_eq!(error.kind(), Kind::BinlogUnsupported);
    assert!(error.hint_text().is_some_and(|hint| hint.contains("gtid_mode")), "{error}");
}
