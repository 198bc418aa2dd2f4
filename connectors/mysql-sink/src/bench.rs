//! A batch's way to statements, timed: `make microbench`.

use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::{Op, OwnedRow, OwnedValue, Table, Value};

use crate::apply::{Limits, Manner, Packet, decide};
use crate::batch::Change;
use crate::dead_letter::Origin;
use crate::fold::fold;
use crate::hot_path::measure;
use crate::tables::tests::sysbench;

/// Changes of a batch.
const CHANGES: u64 = 10_000;

const LIMITS: Limits = Limits { bytes: 4 << 20, server_bytes: 32 << 20 };

/// Updates of so many keys of rows of 200 bytes, one after the other.
fn updates(table: &Arc<Table>, keys: u64) -> Vec<Change<OwnedRow>> {
    let row = |id: u64, k: u64| -> OwnedRow {
        let numbers = [id, k].map(|number| OwnedValue::Plain(Value::Int(number.cast_signed())));
        let texts = [119, 59].map(|length| OwnedValue::Text("c".repeat(length)));
        numbers.into_iter().chain(texts).collect()
    };
    let change = |number: u64| Change {
        table: table.clone(),
        op: Op::Update,
        // As it lies in its record: shared already.
        key: Some(Bytes::from_owner((number % keys).to_be_bytes())),
        before: Some(row(number % keys, number)),
        after: Some(row(number % keys, number + 1)),
        origin: Origin::default(),
        unreadable: None,
    };
    (0..CHANGES).map(change).collect()
}

#[ignore = "a measurement: make microbench"]
#[test]
fn hot_path_fold() {
    let (table, _) = sysbench();
    for keys in [CHANGES, CHANGES / 10] {
        let changes = updates(&table, keys);
        let counted = measure(&format!("fold: {CHANGES} updates of {keys} keys"), CHANGES, || {
            let folded = fold(&changes).unwrap();
            assert_eq!(folded.tables[0].keyed.len() as u64, keys);
        });
        // Lists that grow by doubling.
        assert!(counted < 30, "{counted} allocations");
    }
}

#[ignore = "a measurement: make microbench"]
#[test]
fn hot_path_sql() {
    let (table, plan) = sysbench();
    let (changes, plans) = (updates(&table, CHANGES), [Arc::new(plan)]);
    let folded = fold(&changes).unwrap();
    for manner in [Manner::Upsert, Manner::Delete] {
        let name = format!("build SQL: {manner:?} of rows of 200 bytes, 1,000 a statement");
        let mut packet = Packet::new();
        let counted = measure(&name.to_lowercase(), CHANGES, || {
            let order = decide(&folded.tables[0], &plans, false).unwrap();
            for mut rows in order.upserts[0].chunks(1000) {
                while !rows.is_empty() {
                    let (taken, full) = packet.fill(&plans[0], manner, rows, LIMITS).unwrap();
                    rows = &rows[taken..];
                    if full {
                        packet.clear(LIMITS.bytes);
                    }
                }
            }
            packet.clear(LIMITS.bytes);
        });
        // For each statement the list of its rows, and the lists of all rows.
        assert!(counted < 100, "{counted} allocations");
    }
}
