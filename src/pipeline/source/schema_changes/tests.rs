//! What is told of a statement.

use cdc_mysql_source::{ColumnChange, DdlEvent, Effect};
use cdc_sdk::TableName;

use super::happenings;
use crate::avro::Happened;

fn table(name: &str) -> TableName {
    TableName::new("d", name)
}

fn rename(from: &str, to: &str) -> Effect {
    Effect::Rename { from: table(from), to: table(to) }
}

/// All tables are captured but those that begin with `_`.
fn told(statement: &str, effects: Vec<Effect>) -> Vec<(String, Happened)> {
    let ddl = DdlEvent { statement: statement.to_owned(), effects, ..DdlEvent::default() };
    let all = happenings(&ddl, |name| !name.table.starts_with('_'));
    all.into_iter().map(|(name, happened)| (name.table.clone(), happened)).collect()
}

fn list(expected: &[(&str, Happened)]) -> Vec<(String, Happened)> {
    expected.iter().map(|(name, happened)| ((*name).to_owned(), *happened)).collect()
}

#[test]
fn a_table_is_told_once_by_statement() {
    let effects = vec![
        Effect::Column { table: table("a"), name: "x".to_owned(), change: ColumnChange::Dropped },
        Effect::Reshape(table("a")),
        Effect::Metadata(table("a")),
    ];
    assert_eq!(told("ALTER …", effects), list(&[("a", Happened::Altered)]));
}

#[test]
fn a_swap_is_told_by_the_names_that_remain() {
    let swap = vec![rename("a", "t"), rename("b", "a"), rename("t", "b")];
    assert_eq!(told("RENAME …", swap), list(&[("a", Happened::Altered), ("b", Happened::Altered)]));
    // As online schema changes do it, with the old table not captured from then on.
    let swap = vec![rename("a", "_a_old"), rename("_a_new", "a")];
    assert_eq!(told("RENAME …", swap), list(&[("a", Happened::Altered)]));
}

#[test]
fn what_leaves_the_capture_is_gone() {
    assert_eq!(told("RENAME …", vec![rename("a", "_b")]), list(&[("a", Happened::Dropped)]));
    assert_eq!(told("RENAME …", vec![rename("_b", "a")]), list(&[("a", Happened::Altered)]));
    let altered_too = vec![Effect::Reshape(table("a")), rename("a", "b")];
    assert_eq!(told("ALTER … RENAME …", altered_too), list(&[("b", Happened::Altered)]));
}

#[test]
fn no_statement_and_no_truncate_is_told() {
    assert_eq!(told("", vec![Effect::Create(table("a"))]), []);
    assert_eq!(told("TRUNCATE a", vec![Effect::Truncate(table("a"))]), []);
}
