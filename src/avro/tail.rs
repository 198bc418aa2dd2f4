//! What stands behind the rows in an envelope: `source`, `transaction`, `op` and
//! the times.

use cdc_sdk::{Op, TableName};

use super::datum::{put_bytes, put_long};
use crate::envelope::Meta;

/// `source.version`.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// `source.connector`: what Debezium calls its own for MySQL.
const CONNECTOR: &str = "mysql";

/// Appends what stands behind the rows: `source`, `transaction`, `op`, `ts_…`.
pub(super) fn put(op: Op, meta: &Meta<'_>, table: &TableName, out: &mut Vec<u8>) {
    put_source(meta, table, out);
    match &meta.transaction {
        None => out.push(0),
        Some(block) => {
            out.push(2);
            put_bytes(out, block.id.as_bytes());
            put_long(out, block.total_order.cast_signed());
            put_long(out, block.data_collection_order.cast_signed());
        }
    }
    put_bytes(out, op.letter().as_bytes());
    for now in times(meta.now_us) {
        out.push(2);
        put_long(out, now);
    }
}

/// The fields of `schemas/source.avsc`, in its order.
pub(super) fn put_source(meta: &Meta<'_>, table: &TableName, out: &mut Vec<u8>) {
    let origin = meta.origin;
    let [ts_ms, ts_us, ts_ns] = times(origin.ts_us);
    put_bytes(out, VERSION.as_bytes());
    put_bytes(out, CONNECTOR.as_bytes());
    put_bytes(out, meta.server_name.as_bytes());
    put_long(out, ts_ms);
    out.push(0);
    put_bytes(out, meta.snapshot.text().as_bytes());
    put_bytes(out, table.database.as_bytes());
    out.push(0);
    out.push(2);
    put_long(out, ts_us);
    out.push(2);
    put_long(out, ts_ns);
    out.push(2);
    put_bytes(out, table.table.as_bytes());
    put_long(out, i64::from(origin.server_id));
    put_optional(out, origin.gtid.as_deref(), |out, gtid| put_bytes(out, gtid.as_bytes()));
    put_bytes(out, origin.file.as_bytes());
    put_long(out, origin.pos.cast_signed());
    put_long(out, i64::from(meta.row.cast_signed()));
    put_optional(out, origin.thread, |out, thread| put_long(out, thread.cast_signed()));
    out.push(0);
}

/// Milliseconds, microseconds and nanoseconds.
fn times(micros: i64) -> [i64; 3] {
    [micros.div_euclid(1000), micros, micros.saturating_mul(1000)]
}

pub(super) fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(2);
            put(out, value);
        }
    }
}
