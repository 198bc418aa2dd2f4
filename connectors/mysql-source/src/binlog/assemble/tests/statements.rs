//! Statements that stand where rows should.

use cdc_sdk::{Kind, Position, Result};

use super::replay::{assembler, file, frames, start, step};
use crate::binlog::BinlogEvent;
use crate::binlog::event::kind;
use crate::binlog::frame::{Frame, Header};
use crate::ddl::Effect;

/// A statement in a database, which wrote there. `more`: bytes before what came with it.
fn statement(kind: u8, (database, text): (&str, &str), flags: u16, more: usize) -> Frame {
    let written = [&[12, 1], database.as_bytes(), &[0]].concat();
    let mut body = vec![0; 8];
    body.push(u8::try_from(database.len()).unwrap());
    body.extend([0, 0]);
    body.extend(u16::try_from(written.len()).unwrap().to_le_bytes());
    body.resize(body.len() + more, 0xff);
    body.extend(written);
    body.extend([database.as_bytes(), &[0], text.as_bytes()].concat());
    Frame::made(Header { kind, size: 40, flags, ..Header::default() }, body)
}

fn query(text: &str) -> Frame {
    statement(kind::QUERY, ("shop", text), 0, 0)
}

/// What the statements do to captured tables.
fn effects(statements: Vec<Frame>) -> Result<Vec<Effect>> {
    let mut assembler = assembler(Position { gtids: None, ..start() });
    let format = frames(&file("no_gtids.binlog")).unwrap().swap_remove(0);
    let mut all = Vec::new();
    for frame in std::iter::once(format).chain(statements) {
        step(&mut assembler, frame, |_, event| {
            if let BinlogEvent::Ddl(ddl) = event {
                all.extend(ddl.effects);
            }
            Ok(())
        })?;
    }
    Ok(all)
}

#[test]
fn load_data_as_a_statement_passes_where_nothing_is_captured() {
    let load = |database| {
        let begun =
            Frame::made(Header { kind: kind::BEGIN_LOAD_QUERY, size: 30, ..Header::default() }, vec![1; 11]);
        let load =
            statement(kind::EXECUTE_LOAD_QUERY, (database, "LOAD DATA INFILE 'x' INTO TABLE t"), 0, 13);
        effects(vec![query("BEGIN"), begun, load, query("COMMIT")])
    };
    assert_eq!(load("elsewhere").unwrap(), []);
    let refused = load("shop").unwrap_err();
    assert_eq!(refused.kind(), Kind::BinlogUnsupported);
    assert!(refused.hint_text().is_some_and(|hint| hint.contains("exclude")), "{refused}");
}

#[test]
fn a_name_may_be_that_of_a_temporary_table() {
    let of = |flags| effects(vec![statement(kind::QUERY, ("shop", "TRUNCATE TABLE t"), flags, 0)]).unwrap();
    let name = cdc_sdk::TableName::new("shop", "t");
    assert_eq!(of(0), [Effect::Truncate(name.clone())]);
    assert_eq!(of(0x0004), [Effect::Unknown { table: Some(name) }]);
}

#[test]
fn what_was_handed_out_is_not_rolled_back() {
    let refused = effects(vec![query("BEGIN"), query("TRUNCATE TABLE t"), query("ROLLBACK")]).unwrap_err();
    assert_eq!(refused.kind(), Kind::BinlogUnsupported);
    assert!(effects(vec![query("BEGIN"), query("ROLLBACK")]).is_ok());
    let emptied =
        effects(vec![query("BEGIN"), query("DELETE FROM `shop`.`t`"), query("ROLLBACK")]).unwrap_err();
    assert_eq!(emptied.kind(), Kind::BinlogUnsupported);
}
