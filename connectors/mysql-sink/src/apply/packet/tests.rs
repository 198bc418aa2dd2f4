use cdc_sdk::{Kind, OwnedRow, OwnedValue, Value};
use proptest::prelude::*;

use super::*;
use crate::tables::tests::sysbench;

const LIMITS: Limits = Limits { bytes: 2000, server_bytes: 4000 };

fn row(id: usize, bytes: usize) -> OwnedRow {
    let number = |n: usize| OwnedValue::Plain(Value::UInt(n as u64));
    vec![number(id), number(0), OwnedValue::Text("c".repeat(bytes)), OwnedValue::Text(String::new())]
}

/// The statements of a row by itself, of either kind.
fn alone(plan: &Plan, row: &OwnedRow) -> [usize; 2] {
    let mut upsert = Vec::new();
    rows::tuple(&mut upsert, plan, row).unwrap();
    let mut condition = Vec::new();
    rows::condition(&mut condition, plan, row).unwrap();
    [
        plan.sql.insert.len() + upsert.len() + plan.sql.upsert_tail.len(),
        plan.sql.remove.len() + condition.len() + " LIMIT 1".len(),
    ]
}

/// Sends a packet: how many statements it had.
fn sent(packet: &mut Packet<'_, OwnedRow>) -> Result<usize, TestCaseError> {
    let (bytes, steps) = (packet.sql.len(), packet.steps.len());
    prop_assert!(bytes <= LIMITS.server_bytes, "{bytes} bytes");
    prop_assert!(bytes <= LIMITS.bytes || steps == 1, "{bytes} bytes in {steps} statements");
    packet.clear(LIMITS.bytes);
    Ok(steps)
}

proptest! {
    /// Whatever follows whatever: only a row that is too large for the server by itself is refused.
    #[test]
    fn no_packet_is_larger_than_the_server_takes(
        given in proptest::collection::vec((any::<bool>(), 0usize..4100), 1..12),
    ) {
        let (_, plan) = sysbench();
        let all: Vec<OwnedRow> = given.iter().enumerate().map(|(id, (_, bytes))| row(id, *bytes)).collect();
        let mut packet = Packet::new();
        let mut steps = 0;
        for ((removed, _), row) in given.iter().zip(&all) {
            let fits = alone(&plan, row)[usize::from(*removed)] <= LIMITS.server_bytes;
            loop {
                let added = match removed {
                    true => packet.remove(&plan, row, 1, LIMITS).map(|(taken, full)| (usize::from(taken), full)),
                    false => packet.fill(&plan, Manner::Upsert, &[row], LIMITS),
                };
                let (taken, full) = match added {
                    Ok(added) => added,
                    Err(error) => {
                        prop_assert!(!fits && error.kind() == Kind::RowRefused, "{error}");
                        return Ok(());
                    }
                };
                if full {
                    steps += sent(&mut packet)?;
                }
                if taken > 0 {
                    break;
                }
            }
            prop_assert!(fits, "a row that is too large");
        }
        steps += sent(&mut packet)?;
        prop_assert_eq!(steps, all.len());
    }
}
