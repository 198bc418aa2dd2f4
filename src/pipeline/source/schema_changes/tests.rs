//! What is told of a statement.

use cdc_mysql_source::{DdlEvent, DroppedColumns, Effect};
use cdc_sdk::TableName;
use cdc_sdk::change::Origin;

use super::{Fate, fates};

fn table(name: &str) -> TableName {
    TableName::new("d", name)
}

fn rename(from: &str, to: &str) -> Effect {
    Effect::Rename { from: table(from), to: table(to) }
}

/// All tables are captured but those that begin with `_`.
fn told(statement: &str, effects: Vec<Effect>) -> Vec<(String, Fate)> {
    let ddl = DdlEvent {
        statement: statement.to_owned(),
        database: "d".to_owned(),
        effects,
        emptied: Vec::new(),
        progress: Vec::new(),
        dropped: DroppedColumns::new(),
        addressee: None,
        unfinished: false,
        origin: Origin::default(),
    };
    let fates = fates(&ddl, |name| !name.table.starts_with('_'));
    fates.into_iter().map(|(name, fate)| (name.table.clone(), fate)).collect()
}

fn list(expected: &[(&str, Fate)]) -> Vec<(String, Fate)> {
    expected.iter().map(|(name, fate)| ((*name).to_owned(), *fate)).collect()
}

#[test]
fn a_table_is_told_once_by_statement() {
    let effects = vec![
        Effect::Column { table: table("a"), name: "x".to_owned(), dropped: true },
        Effect::Reshape(table("a")),
        Effect::Metadata(table("a")),
    ];
    assert_eq!(told("ALTER …", effects), list(&[("a", Fate::Altered)]));
}

#[test]
fn a_swap_is_told_by_the_names_that_remain() {
    let swap = vec![rename("a", "t"), rename("b", "a"), rename("t", "b")];
    assert_eq!(told("RENAME …", swap), list(&[("a", Fate::Altered), ("b", Fate::Altered)]));
    // As online schema changes do it, with the old table not captured from then on.
    let swap = vec![rename("a", "_a_old"), rename("_a_new", "a")];
    assert_eq!(told("RENAME …", swap), list(&[("a", Fate::Altered)]));
}

#[test]
fn what_leaves_the_capture_is_gone() {
    assert_eq!(told("RENAME …", vec![rename("a", "_b")]), list(&[("a", Fate::Dropped)]));
    assert_eq!(told("RENAME …", vec![rename("_b", "a")]), list(&[("a", Fate::Altered)]));
    let altered_too = vec![Effect::Reshape(table("a")), rename("a", "b")];
    assert_eq!(told("ALTER … RENAME …", altered_too), list(&[("b", Fate::Altered)]));
}

#[test]
fn no_statement_and_no_truncate_is_told() {
    assert_eq!(told("", vec![Effect::Create(table("a"))]), []);
    assert_eq!(told("TRUNCATE a", vec![Effect::Truncate(table("a"))]), []);
}
