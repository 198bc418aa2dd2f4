use std::sync::Arc;
use std::time::Duration;

use cdc_sdk::{Column, OwnedValue, Value};
use mysql_async::consts::ColumnType as WireType;
use mysql_async::{Column as WireColumn, Row as Answer, Value as Cell};

use super::*;
use crate::shape::ShapeId;
use crate::snapshot::block::{Block, RowReading};
use crate::snapshot::packed::pack;
use crate::snapshot::progress::Again;
use crate::snapshot::query::{JsonKinds, Paging, tests::orders};
use crate::snapshot::view::{ViewBatch, ViewOpen};

mod random;

const TABLE: &str = "t";

fn name(table: &str) -> TableName {
    TableName::new("shop", table)
}

/// A table (id, state, name) by `id`, or without a key.
fn prepared(keyed: bool) -> Prepared {
    let mut table = orders(&[(0, false)], None);
    table.name = name(TABLE);
    if !keyed {
        table.keys.clear();
    }
    let reading = RowReading::of(&table, JsonKinds::Left).unwrap_or_else(|e| unreachable!("{e}"));
    Prepared {
        paging: Paging::of(&table),
        reading: Arc::new(reading),
        table: Arc::new(table),
        shape: ShapeId(1),
    }
}

fn limits() -> Limits {
    Limits { chunk_rows: 100, chunk_bytes: 1 << 20, readers: 2, locked: false, server_id: 7 }
}

fn end(pos: u64) -> LogEnd {
    LogEnd { file: "binlog.000001".into(), pos }
}

fn block(prepared: &Prepared, ids: &[i64]) -> Block {
    let columns: Arc<[WireColumn]> = (0..3).map(|_| WireColumn::new(WireType::MYSQL_TYPE_LONGLONG)).collect();
    let identity = prepared.paging.as_ref().map_or(&[][..], |p| &p.columns);
    let mut block = Block::new(identity);
    for id in ids {
        let cells = vec![Cell::Int(*id), Cell::UInt(1), Cell::Bytes(b"x".to_vec())];
        let row: Answer = mysql_common::row::new_row(cells, columns.clone());
        block.push(&prepared.reading, row).unwrap_or_else(|e| unreachable!("{e}"));
    }
    block
}

fn read(ids: &[i64], high: u64, last: bool) -> ChunkRead {
    let last_key = ids.last().map(|id| behind(*id));
    ChunkRead { block: block(&prepared(true), ids), high: end(high), last_key, last, read_us: 1 }
}

fn int(id: i64) -> OwnedValue {
    OwnedValue::Plain(Value::Int(id))
}

fn behind(id: i64) -> KeyBound {
    let prepared = prepared(true);
    let paging = prepared.paging.unwrap_or_else(|| unreachable!());
    paging.bound(&prepared.table, vec![int(id)])
}

fn key(id: i64) -> Vec<u8> {
    let mut key = Vec::new();
    pack(&mut key, Value::Int(id));
    key
}

fn ids(chunk: &Chunk) -> Vec<i64> {
    let mut ids = Vec::new();
    for row in chunk.rows() {
        let visited = cdc_sdk::Row::visit(&row, |index, value| {
            if let (0, Value::Int(id)) = (index, value) {
                ids.push(id);
            }
            Ok(())
        });
        assert!(visited.is_ok());
    }
    ids
}

fn gtid(number: u64) -> Gtid {
    let text = format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{number}");
    text.parse().unwrap_or_else(|e| unreachable!("{e}"))
}

/// A plan with the table prepared.
fn ready(keyed: bool) -> Plan {
    let mut plan = Plan::new(limits());
    plan.put(name(TABLE), TableState::Pending, 1000, 0);
    let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else {
        unreachable!("no preparation")
    };
    plan.prepared(&table, id, Ok(prepared(keyed)));
    plan
}

fn chunk(plan: &mut Plan) -> Option<(ReadId, Option<KeyBound>)> {
    match plan.next_work(Instant::now()) {
        Some((id, Work::Chunk(_, after, ..))) => Some((id, after)),
        Some((_, other)) => unreachable!("{other:?}"),
        None => None,
    }
}

fn must(chunk: Option<(ReadId, Option<KeyBound>)>) -> (ReadId, Option<KeyBound>) {
    chunk.unwrap_or_else(|| unreachable!("no chunk to read"))
}

fn take(plan: &mut Plan, pos: u64) -> Option<Chunk> {
    plan.take_ready("binlog.000001", pos).unwrap_or_else(|e| unreachable!("{e}"))
}

#[test]
fn a_chunk_waits_for_its_high_mark() {
    let mut plan = ready(true);
    let (id, after) = must(chunk(&mut plan));
    assert_eq!(after, None);
    plan.chunk_read(&name(TABLE), id, read(&[1, 2], 500, true));
    assert!(take(&mut plan, 499).is_none());
    let chunk = take(&mut plan, 500).unwrap_or_else(|| unreachable!());
    assert_eq!(ids(&chunk), [1, 2]);
    assert!(chunk.first && chunk.last);
    assert_eq!(chunk.progress.state, TableState::Done { rows: 2 });
    assert_eq!((chunk.origin.pos, chunk.origin.server_id), (500, 7));
    assert!(plan.is_complete());
}

#[test]
fn what_is_touched_is_dropped_before_and_after_the_read() {
    let mut plan = ready(true);
    let (id, _) = must(chunk(&mut plan));
    let table = name(TABLE);
    assert!(plan.watches(&table, Some(&gtid(5))));
    plan.touch(&table, Some(&gtid(5)), &key(1));
    plan.chunk_read(&table, id, read(&[1, 2, 3], 500, true));
    plan.touch(&table, Some(&gtid(6)), &key(3));
    plan.touch(&table, Some(&gtid(6)), &key(99));
    assert_eq!(take(&mut plan, 600).map(|c| ids(&c)), Some(vec![2]));
    assert!(!plan.watches(&table, Some(&gtid(7))));
}

#[test]
fn what_the_chunk_shows_for_certain_need_not_be_dropped() {
    let mut plan = ready(true);
    let (id, _) = must(chunk(&mut plan));
    let table = name(TABLE);
    plan.low_mark(&table, id, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().unwrap_or_default());
    assert!(!plan.watches(&table, Some(&gtid(5))));
    plan.touch(&table, Some(&gtid(5)), &key(1));
    plan.touch(&table, Some(&gtid(6)), &key(2));
    plan.touch(&table, None, &key(3));
    plan.chunk_read(&table, id, read(&[1, 2, 3], 500, true));
    assert_eq!(take(&mut plan, 500).map(|c| ids(&c)), Some(vec![1]));
}

#[test]
fn one_chunk_is_read_while_another_waits_and_they_come_in_order() {
    let mut plan = ready(true);
    let table = name(TABLE);
    let (first, _) = must(chunk(&mut plan));
    assert!(chunk(&mut plan).is_none(), "the next chunk's start is not known yet");
    plan.chunk_read(&table, first, read(&[1, 2], 500, false));
    let (second, after) = must(chunk(&mut plan));
    assert_eq!(after.map(|bound| bound.values), Some(vec![int(2)]));
    plan.chunk_read(&table, second, read(&[3], 400, true));
    assert!(chunk(&mut plan).is_none());
    assert!(take(&mut plan, 450).is_none(), "the second overtook the first");
    let one = take(&mut plan, 500).unwrap_or_else(|| unreachable!());
    assert!(
        matches!(&one.progress.state, TableState::Reading { after: Some(b), rows: 2 } if b.values == [int(2)])
    );
    assert!(one.first && !one.last);
    let two = take(&mut plan, 500).unwrap_or_else(|| unreachable!());
    assert!(!two.first && two.last);
    assert_eq!(two.progress.state, TableState::Done { rows: 3 });
}

#[test]
fn a_flood_is_read_again_with_the_stream_held() {
    let mut plan = ready(true);
    let table = name(TABLE);
    let (id, _) = must(chunk(&mut plan));
    (0..60_000).for_each(|n| plan.touch(&table, None, &key(n)));
    plan.chunk_read(&table, id, read(&[1, 2], 500, true));
    assert!(take(&mut plan, 500).is_none());
    assert!(!plan.holds_stream());
    let (again, after) = must(chunk(&mut plan));
    assert_eq!(after, None);
    assert!(plan.holds_stream());
    plan.chunk_read(&table, again, read(&[1, 2], 700, true));
    assert!(!plan.holds_stream());
    // Now no key need be remembered: rows are dropped where they lie.
    (2..60_000).for_each(|n| plan.touch(&table, None, &key(n)));
    assert_eq!(take(&mut plan, 700).map(|c| ids(&c)), Some(vec![1]));
}

#[test]
fn an_alteration_discards_what_is_open() {
    let mut plan = ready(true);
    let table = name(TABLE);
    let (id, _) = must(chunk(&mut plan));
    plan.altered(&table);
    plan.chunk_read(&table, id, read(&[1], 500, true));
    assert!(take(&mut plan, 900).is_none(), "a chunk of the old shape came");
    assert!(
        matches!(plan.next_work(Instant::now()), Some((_, Work::Prepare(_)))),
        "it is not looked up again"
    );
}

#[test]
fn a_table_with_another_key_begins_again() {
    let mut plan = Plan::new(limits());
    let after = KeyBound { columns: vec!["old".into()], ..behind(5) };
    plan.put(name(TABLE), TableState::Reading { after: Some(after), rows: 9 }, 0, 0);
    let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else { unreachable!() };
    plan.prepared(&table, id, Ok(prepared(true)));
    assert_eq!(must(chunk(&mut plan)).1, None);
}

#[test]
fn a_table_that_loses_its_key_while_it_is_read_is_emptied_first() {
    let mut plan = Plan::new(limits());
    plan.put(name(TABLE), TableState::Reading { after: Some(behind(5)), rows: 9 }, 0, 0);
    plan.put(name("other"), TableState::Pending, 0, 0);
    for _ in 0..2 {
        prepare(&mut plan, false);
    }
    let is_emptied = |table: &str| plan.tables.get(&name(table)).is_some_and(|entry| entry.restart);
    assert!(is_emptied(TABLE) && !is_emptied("other"), "what nobody has need not go");
}

/// Rows that the stream brought while it had a key are in its view once more.
#[test]
fn a_table_that_loses_its_key_while_it_waits_is_emptied_first() {
    let mut waits = Plan::new(limits());
    waits.put(name(TABLE), TableState::Pending, 0, 0);
    let mut emptied_before = Plan::new(limits());
    emptied_before.put(name(TABLE), TableState::Pending, 0, 0);
    emptied_before.restart(&name(TABLE));
    prepare(&mut emptied_before, true);
    assert_eq!(emptied(&mut emptied_before), [name(TABLE)]);
    for mut plan in [waits, emptied_before] {
        assert_eq!(plan.meet_rows(&prepared(true).table), Passing::Open);
        plan.altered(&name(TABLE));
        prepare(&mut plan, false);
        let (_, _batches) = open_view(&mut plan, 70);
        assert!(plan.meet_view("binlog.000001", 70, Instant::now()).is_ok());
        assert_eq!(emptied(&mut plan), [name(TABLE)]);
    }
    let mut his = done();
    his.read_again(&name(TABLE), for_crm(), 0, 0);
    prepare(&mut his, true);
    assert_eq!(emptied(&mut his), [name(TABLE)]);
    assert_eq!(his.meet_rows(&prepared(true).table), Passing::Open);
    his.altered(&name(TABLE));
    prepare(&mut his, false);
    let (_, _batches) = open_view(&mut his, 70);
    assert!(his.meet_view("binlog.000001", 70, Instant::now()).is_ok());
    assert_eq!(
        his.take_restarts().and_then(|r| r.addressee).as_deref(),
        Some("crm"),
        "of the others nothing goes"
    );
}

#[test]
fn failures_are_tried_again_and_then_told() {
    let mut plan = ready(true);
    let table = name(TABLE);
    let mut tries = 0;
    let error = loop {
        let (id, work) = plan.next_work(Instant::now()).unwrap_or_else(|| unreachable!());
        if let Work::Prepare(_) = work {
            plan.prepared(&table, id, Ok(prepared(true)));
            // Looking the table up is no progress.
            continue;
        }
        tries += 1;
        let error = Error::new(Kind::MysqlUnreachable, "gone");
        if let Err(e) = plan.failed(&table, id, Failed { error, too_slow: true, again: Instant::now() }) {
            break e;
        }
        assert!(tries < 100, "it is tried for ever");
    };
    assert_eq!(error.kind(), Kind::MysqlUnreachable);
    assert!(error.what().contains("shop.t"));
}

/// Found by a test that alters tables while they are read: the chunk before the failed one was still to be handed out.
#[test]
fn a_failure_takes_the_chunk_before_it_along() {
    let mut plan = ready(true);
    let (first, _) = must(chunk(&mut plan));
    plan.chunk_read(&name(TABLE), first, read(&[1, 2], 500, false));
    let (second, after) = must(chunk(&mut plan));
    assert!(after.is_some());
    let error = Error::new(Kind::RowMismatch, "altered");
    let failed = Failed { error, too_slow: false, again: Instant::now() };
    plan.failed(&name(TABLE), second, failed).unwrap_or_else(|e| unreachable!("{e}"));
    assert!(take(&mut plan, 500).is_none());
    let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else { unreachable!() };
    plan.prepared(&table, id, Ok(prepared(true)));
    assert_eq!(must(chunk(&mut plan)).1, None, "from where the consumer is");
}

#[test]
fn a_failed_table_waits() {
    let mut plan = ready(true);
    let table = name(TABLE);
    let (id, _) = must(chunk(&mut plan));
    let now = Instant::now();
    let again = now + Duration::from_secs(5);
    let failed = Failed { error: Error::new(Kind::MysqlUnreachable, "gone"), too_slow: false, again };
    assert!(plan.failed(&table, id, failed).is_ok());
    assert!(plan.next_work(now).is_none());
    assert_eq!(plan.next_retry(now), Some(again));
    assert!(plan.next_work(again).is_some());
}

#[test]
fn a_table_that_is_gone_is_done_once_the_stream_has_passed() {
    let mut plan = Plan::new(limits());
    plan.put(name(TABLE), TableState::Pending, 0, 0);
    let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else { unreachable!() };
    plan.prepared(&table, id, Err(end(300)));
    assert!(plan.take_gone("binlog.000001", 299).is_none());
    let gone = plan.take_gone("binlog.000001", 300).unwrap_or_else(|| unreachable!());
    assert_eq!(gone.progress.state, TableState::Done { rows: 0 });
    assert!(!gone.is_there, "nothing of it was handed out");
    assert!(plan.is_complete());
}

#[test]
fn what_an_earlier_run_may_have_handed_out_of_a_table_that_is_gone_goes() {
    for state in [
        TableState::Pending,
        TableState::Reading { after: None, rows: 0 },
        TableState::Reading { after: Some(behind(5)), rows: 5 },
    ] {
        let mut plan = Plan::new(limits());
        plan.go_on(&TableProgress::of(name(TABLE), state.clone()), 0, 0);
        let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else { unreachable!() };
        plan.prepared(&table, id, Err(end(300)));
        assert!(plan.take_gone("binlog.000001", 300).is_some_and(|gone| gone.is_there), "{state:?}");
    }
}

#[test]
fn tables_are_read_by_as_many_readers_as_there_are() {
    let mut plan = Plan::new(limits());
    for number in 0..5 {
        plan.put(name(&number.to_string()), TableState::Pending, 10, 0);
    }
    let works: Vec<_> = std::iter::from_fn(|| plan.next_work(Instant::now())).collect();
    assert_eq!(works.len(), 2);
    assert_eq!((plan.summary().tables_total, plan.summary().rows_estimated), (5, 50));
}

#[test]
fn chunks_shrink_to_their_bytes() {
    let mut plan = Plan::new(Limits { chunk_bytes: 1000, ..limits() });
    plan.put(name(TABLE), TableState::Pending, 1000, 250);
    let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else { unreachable!() };
    plan.prepared(&table, id, Ok(prepared(true)));
    let Some((_, Work::Chunk(_, _, rows_max, _))) = plan.next_work(Instant::now()) else { unreachable!() };
    assert_eq!(rows_max, 4);
}

#[test]
fn rows_without_identity_are_hidden_until_their_view() {
    let mut plan = ready(false);
    let table = prepared(false).table;
    assert_eq!(plan.meet_rows(&table), Passing::Hidden(None));
    assert_eq!(plan.meet_rows(&prepared(true).table), Passing::Open);
    plan.remove(&name(TABLE));
    assert_eq!(plan.meet_rows(&table), Passing::Open);
}

/// The consumer has a part of the table, and could not find a row in it that goes. That it must be emptied is stored
/// with the first row that is hidden: if the key comes back, nothing else would tell.
#[test]
fn rows_without_identity_are_hidden_where_a_part_of_the_table_is_there() {
    let mut plan = Plan::new(limits());
    plan.put(name(TABLE), TableState::Reading { after: Some(behind(5)), rows: 5 }, 0, 0);
    prepare(&mut plan, true);
    let (id, _) = must(chunk(&mut plan));
    let torn = TableProgress::of(name(TABLE), TableState::Reading { after: None, rows: 0 });
    assert_eq!(plan.meet_rows(&prepared(false).table), Passing::Hidden(Some(torn)));
    assert_eq!(plan.meet_rows(&prepared(false).table), Passing::Hidden(None));
    plan.chunk_read(&name(TABLE), id, read(&[6, 7], 500, true));
    assert!(take(&mut plan, 500).is_none(), "a chunk that may lack the row came");
    assert_eq!(emptied(&mut plan), [name(TABLE)]);
    assert_eq!(must(chunk(&mut plan)).1, None);
}

fn open_view(plan: &mut Plan, high: u64) -> (ReadId, tokio::sync::mpsc::Sender<Result<ViewBatch>>) {
    let Some((id, Work::View(tables))) = plan.next_work(Instant::now()) else { unreachable!("no view") };
    assert_eq!(tables.len(), 1);
    let (sender, batches) = tokio::sync::mpsc::channel(1);
    let low = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().unwrap_or_default();
    plan.view_open(id, ViewOpen { low: Some(low), high: end(high), batches });
    (id, sender)
}

#[test]
fn a_view_that_was_touched_is_opened_again() {
    let mut plan = ready(false);
    let _sender = open_view(&mut plan, 500);
    plan.touch_view(&name(TABLE), Some(&gtid(3)));
    plan.touch_view(&name("other"), Some(&gtid(9)));
    plan.touch_view(&name(TABLE), Some(&gtid(6)));
    assert!(plan.meet_view("binlog.000001", 500, Instant::now()).is_ok());
    assert!(plan.served().is_none());
    let _sender = open_view(&mut plan, 600);
    plan.touch_view(&name(TABLE), Some(&gtid(4)));
    assert!(plan.meet_view("binlog.000001", 599, Instant::now()).is_ok());
    assert!(!plan.holds_stream());
    assert!(plan.meet_view("binlog.000001", 600, Instant::now()).is_ok());
    assert!(plan.holds_stream() && plan.served().is_some());
}

#[test]
fn a_view_is_handed_out_whole() {
    let mut plan = ready(false);
    let _sender = open_view(&mut plan, 500);
    assert!(plan.meet_view("binlog.000001", 500, Instant::now()).is_ok());
    let batch = |last| ViewBatch {
        prepared: prepared(false),
        block: block(&prepared(false), &[1, 1]),
        last,
        read_us: 1,
    };
    let first = plan.take_batch(batch(false)).unwrap_or_else(|e| unreachable!("{e}"));
    assert!(first.first && !first.last);
    assert_eq!(first.progress.state, TableState::Reading { after: None, rows: 2 });
    let last = plan.take_batch(batch(true)).unwrap_or_else(|e| unreachable!("{e}"));
    assert!(!last.first && last.last);
    assert!(plan.end_view().is_ok());
    assert!(!plan.holds_stream() && plan.is_complete());
}

#[test]
fn a_view_that_breaks_off_is_an_error() {
    let mut plan = ready(false);
    let _sender = open_view(&mut plan, 500);
    assert!(plan.meet_view("binlog.000001", 500, Instant::now()).is_ok());
    assert!(plan.end_view().is_err());
}

#[test]
fn a_table_that_is_never_quiet_is_given_up() {
    let mut plan = ready(false);
    let error = loop {
        let _sender = open_view(&mut plan, 500);
        plan.touch_view(&name(TABLE), None);
        if let Err(error) = plan.meet_view("binlog.000001", 500, Instant::now()) {
            break error;
        }
    };
    assert_eq!(error.kind(), Kind::Snapshot);
    assert!(error.hint_text().is_some_and(|hint| hint.contains("PRIMARY KEY")));
}

#[test]
fn what_must_go_first_is_remembered_until_it_went() {
    let mut plan = ready(true);
    plan.restart(&name(TABLE));
    let torn = TableState::Reading { after: None, rows: 0 };
    assert_eq!(plan.all_progress().first().map(|p| p.state.clone()), Some(torn));
    assert!(chunk(&mut plan).is_none(), "a chunk was registered before the truncation");
    assert_eq!(emptied(&mut plan), [name(TABLE)]);
    assert_eq!(plan.all_progress().first().map(|p| p.state.clone()), Some(TableState::Pending));
    assert!(chunk(&mut plan).is_some());
}

fn emptied(plan: &mut Plan) -> Vec<TableName> {
    plan.take_restarts().map_or_else(Vec::new, |r| r.progress.into_iter().map(|p| p.table).collect())
}

fn done() -> Plan {
    let mut plan = Plan::new(limits());
    plan.put(name(TABLE), TableState::Done { rows: 3 }, 1000, 0);
    plan
}

fn prepare(plan: &mut Plan, keyed: bool) {
    let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else { unreachable!() };
    plan.prepared(&table, id, Ok(prepared(keyed)));
}

#[test]
fn who_asked_for_it_to_be_emptied_gets_that_though_another_asks_for_less() {
    let mut plan = done();
    plan.read_again(&name(TABLE), Again { empty_first: true, ..Again::default() }, 0, 0);
    plan.read_again(&name(TABLE), Again::default(), 0, 0);
    prepare(&mut plan, true);
    assert_eq!(emptied(&mut plan), [name(TABLE)]);
}

/// No statement in the log says that a table was changed with `sql_log_bin = 0`; its rows do.
#[test]
fn chunks_do_not_outlast_rows_of_other_columns() {
    let now = Instant::now();
    let mut plan = ready(true);
    assert!(chunk(&mut plan).is_some());
    plan.meet_columns(&prepared(true).table, now);
    assert_eq!(plan.tables.get(&name(TABLE)).map(|entry| entry.open.len()), Some(1), "they are the same");
    let mut wider = Table::clone(&prepared(true).table);
    wider.columns.push(Column { name: "more".into(), ..wider.columns[1].clone() });
    plan.meet_columns(&wider, now);
    assert!(plan.tables.get(&name(TABLE)).is_some_and(|entry| entry.open.is_empty()));
    assert!(plan.next_work(now).is_none(), "it rests for a moment");
    assert!(matches!(plan.next_work(now + OTHER_COLUMNS_PAUSE), Some((_, Work::Prepare(_)))));
    // Of a table that is through nothing is read.
    let mut through = done();
    through.meet_columns(&wider, now);
    assert!(through.next_work(now + OTHER_COLUMNS_PAUSE).is_none());
}

fn for_crm() -> Again {
    Again { addressee: Some("crm".into()), empty_first: true, ..Again::default() }
}

#[test]
fn a_table_read_once_more_is_not_emptied_and_not_hidden() {
    let mut plan = done();
    plan.read_again(&name(TABLE), Again { condition: Some("id > 1".into()), ..Again::default() }, 0, 0);
    prepare(&mut plan, true);
    assert!(emptied(&mut plan).is_empty());
    let Some((id, Work::Chunk(_, None, _, Some(condition)))) = plan.next_work(Instant::now()) else {
        unreachable!()
    };
    assert_eq!(condition, "id > 1");
    plan.chunk_read(&name(TABLE), id, read(&[2, 3], 50, false));
    let chunk = take(&mut plan, 50).unwrap_or_else(|| unreachable!());
    assert_eq!(chunk.progress.again.as_ref().and_then(|a| a.condition.as_deref()), Some("id > 1"));
    let (id, _) = must(self::chunk(&mut plan));
    plan.chunk_read(&name(TABLE), id, read(&[9], 60, true));
    let last = take(&mut plan, 60).unwrap_or_else(|| unreachable!());
    assert_eq!(last.progress, TableProgress::of(name(TABLE), TableState::Done { rows: 3 }));
}

#[test]
fn rows_without_identity_are_shown_until_the_table_is_emptied_for_them() {
    let mut plan = done();
    plan.read_again(&name(TABLE), Again::default(), 0, 0);
    prepare(&mut plan, false);
    assert_eq!(
        plan.meet_rows(&prepared(false).table),
        Passing::Open,
        "the consumer has the table: its changes go on"
    );
    assert!(emptied(&mut plan).is_empty(), "not before the view is served");
    let (_, _batches) = open_view(&mut plan, 70);
    assert!(plan.meet_view("binlog.000001", 70, Instant::now()).is_ok());
    assert_eq!(emptied(&mut plan), [name(TABLE)]);
    assert_eq!(plan.reading(&name(TABLE)), Reading::First, "from here on it must be read to its end");
    assert!(plan.stop_again().is_empty());
}

#[test]
fn a_stop_ends_what_was_asked_for_and_nothing_else() {
    let mut plan = done();
    plan.put(name("first"), TableState::Pending, 0, 0);
    plan.read_again(&name(TABLE), for_crm(), 0, 0);
    assert!(plan.reads_for("crm") && !plan.reads_for("erp"));
    let stopped = plan.stop_again();
    assert_eq!(stopped.len(), 1);
    assert_eq!(stopped[0].addressee.as_deref(), Some("crm"));
    assert_eq!(stopped[0].progress, [TableProgress::of(name(TABLE), TableState::Done { rows: 0 })]);
    assert!(!plan.reads_for("crm") && !plan.is_complete());
    assert_eq!(plan.reading(&name("first")), Reading::First);
}

#[test]
fn what_one_asked_for_is_emptied_for_him_alone_and_begins_again_after_a_restart() {
    let mut plan = done();
    plan.put(name("first"), TableState::Pending, 0, 0);
    plan.restart(&name("first"));
    plan.read_again(&name(TABLE), for_crm(), 0, 0);
    prepare(&mut plan, true);
    prepare(&mut plan, true);
    let everybody = plan.take_restarts().unwrap_or_else(|| unreachable!());
    assert_eq!((everybody.addressee, everybody.progress.len()), (None, 1));
    let his = plan.take_restarts().unwrap_or_else(|| unreachable!());
    assert_eq!(his.addressee.as_deref(), Some("crm"));
    assert_eq!(his.progress[0].again, Some(for_crm()), "until a chunk is there it is emptied anew");
    let mut after = Plan::new(limits());
    after.put(name(TABLE), TableState::Pending, 0, 0);
    after.asked(&name(TABLE), for_crm());
    prepare(&mut after, true);
    assert_eq!(emptied(&mut after), [name(TABLE)]);
    let mut later = Plan::new(limits());
    let bound = behind(5);
    later.put(name(TABLE), TableState::Reading { after: Some(bound.clone()), rows: 5 }, 0, 0);
    later.asked(&name(TABLE), for_crm());
    prepare(&mut later, true);
    assert!(emptied(&mut later).is_empty(), "rows of it are there and stay");
    assert_eq!(must(chunk(&mut later)).1, Some(bound));
}

#[test]
fn what_was_asked_for_and_cannot_be_read_does_not_stop_the_source() {
    let mut plan = done();
    plan.put(name("other"), TableState::Done { rows: 1 }, 0, 0);
    plan.read_again(&name(TABLE), for_crm(), 0, 0);
    plan.read_again(&name("other"), for_crm(), 0, 0);
    for _ in 0..ATTEMPTS_MAX {
        let Some((id, Work::Prepare(table))) = plan.next_work(Instant::now()) else { unreachable!() };
        let error = Error::new(Kind::MysqlRefused, "no such column");
        let failed = Failed { error, too_slow: false, again: Instant::now() };
        assert!(plan.failed(&table, id, failed).is_ok());
    }
    // It may fail while a transaction is being handed out: who asks then must not take it for through.
    assert!(plan.reads_for("crm") && plan.is_giving_up() && !plan.is_complete());
    let given_up = plan.take_given_up().unwrap_or_else(|| unreachable!());
    assert_eq!(given_up.addressee.as_deref(), Some("crm"));
    assert_eq!(given_up.progress.len(), 2, "half of a snapshot is none");
    assert_eq!((given_up.progress[0].table.clone(), given_up.why.as_str()), (name(TABLE), "no such column"));
    assert!(plan.is_complete() && !plan.reads_for("crm"));
}

#[test]
fn a_pause_begins_nothing_and_hands_out_what_was_read() {
    let mut plan = ready(true);
    let (id, _) = must(chunk(&mut plan));
    plan.pause(true);
    plan.chunk_read(&name(TABLE), id, read(&[1], 50, false));
    assert!(take(&mut plan, 50).is_some());
    assert!(plan.next_work(Instant::now()).is_none());
    assert!(plan.is_held_up() && plan.summary().paused);
    plan.pause(false);
    assert!(chunk(&mut plan).is_some());
}
