//! Messages, headers and stored records with every kind of damage: an error or other values, never a
//! panic, and never more memory than a fixed number of times what came. `make fuzz` runs more of it.

use bytes::Bytes;
use cdc_sdk::{Op, OwnedRow, Row, RowChange};
use proptest::prelude::*;

use super::sample::{all_modes, meta, origin, table_and_rows};
use super::{KeyPlan, Outgoing, Plan, Scratch, TableCodec, frame_id};
use crate::damage::{damaged, damages, memory_of};

/// Bytes of memory for a byte of message.
const MEMORY_MAX: u64 = 40;
/// For a byte of schema, which is parsed into a tree.
const SCHEMA_MEMORY_MAX: u64 = 400;
/// What is taken besides, whatever comes.
const MEMORY_BASE: u64 = 64 << 10;

/// Key and value of an insert, as they go to Kafka.
fn record(codec: &TableCodec, row: OwnedRow) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
    let mut record = None;
    let change = RowChange { op: Op::Create, before: None, after: Some(row) };
    let origin = origin();
    let mut emit = |out: Outgoing<'_>| {
        record = out.value.map(|value| (out.key.map(<[u8]>::to_vec), value.to_vec()));
        Ok(())
    };
    codec.encode(&change, &meta(&origin), &mut Scratch::default(), &mut emit).ok()?;
    record
}

fn read(plan: &std::sync::Arc<Plan>, message: &Bytes) -> cdc_sdk::Result<()> {
    frame_id(message)?;
    let decoded = plan.decode(message)?;
    for row in [decoded.before, decoded.after].into_iter().flatten() {
        row.visit(|_, _| Ok(()))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_messages((table, mut rows) in table_and_rows(1), modes in all_modes(), wrong in damages()) {
        let codec = TableCodec::new(&table, &modes, "p.d.t").unwrap();
        let Ok(plan) = Plan::parse(codec.value_schema()) else { return Ok(()) };
        let plan = std::sync::Arc::new(plan);
        let Some((_, message)) = rows.pop().and_then(|row| record(&codec, row)) else { return Ok(()) };
        let message = Bytes::from(damaged(&message, &wrong));
        let most = message.len() as u64 * MEMORY_MAX + MEMORY_BASE;
        let taken = memory_of(|| drop(read(&plan, &message)));
        prop_assert!(taken <= most, "{taken} bytes of memory for {}", message.len());
    }

    #[test]
    fn fuzz_keys((table, mut rows) in table_and_rows(1), modes in all_modes(), wrong in damages()) {
        let codec = TableCodec::new(&table, &modes, "p.d.t").unwrap();
        let Ok(values) = Plan::parse_with_key(codec.value_schema(), codec.key_schema()) else { return Ok(()) };
        let Some(schema) = codec.key_schema() else { return Ok(()) };
        let plan = KeyPlan::parse(schema, &values).unwrap();
        let Some((Some(key), _)) = rows.pop().and_then(|row| record(&codec, row)) else { return Ok(()) };
        plan.row(&Bytes::from(key.clone())).unwrap();
        let key = Bytes::from(damaged(&key, &wrong));
        // All columns that are not in the key are there as NULLs.
        let most = (key.len() + table.columns.len()) as u64 * MEMORY_MAX + MEMORY_BASE;
        let taken = memory_of(|| {
            let _ = plan.row(&key).and_then(|(row, _)| row.visit(|_, _| Ok(())));
        });
        prop_assert!(taken <= most, "{taken} bytes of memory for {}", key.len());
    }

    #[test]
    fn fuzz_schemas((table, _) in table_and_rows(1), modes in all_modes(), wrong in damages()) {
        let codec = TableCodec::new(&table, &modes, "p.d.t").unwrap();
        let schema = damaged(codec.value_schema().as_bytes(), &wrong);
        let schema = String::from_utf8_lossy(&schema).into_owned();
        let most = schema.len() as u64 * SCHEMA_MEMORY_MAX + MEMORY_BASE;
        let taken = memory_of(|| drop(Plan::parse_with_key(&schema, codec.key_schema())));
        prop_assert!(taken <= most, "{taken} bytes of memory for {}", schema.len());
    }
}
