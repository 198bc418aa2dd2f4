use std::collections::BTreeMap;

use cdc_sdk::{OwnedRow, OwnedValue, TableName, Value};
use proptest::prelude::*;

use super::*;
use crate::dead_letter::Origin;

fn table(name: &str) -> Arc<Table> {
    Arc::new(Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("shop", name),
        columns: Vec::new(),
        keys: Vec::new(),
        collation: None,
        comment: String::new(),
    })
}

fn row(key: u8, unique: u8) -> OwnedRow {
    [key, unique].map(|v| OwnedValue::Plain(Value::UInt(v.into()))).to_vec()
}

fn numbers(row: &OwnedRow) -> (u8, u8) {
    let number = |index: usize| match row.get(index) {
        Some(OwnedValue::Plain(Value::UInt(v))) => u8::try_from(*v).unwrap(),
        other => panic!("{other:?}"),
    };
    (number(0), number(1))
}

fn change(table: &Arc<Table>, op: Op, before: Option<OwnedRow>, after: Option<OwnedRow>) -> Change<OwnedRow> {
    let (key, _) = numbers(after.as_ref().or(before.as_ref()).unwrap());
    let key = Some(Bytes::from(vec![key]));
    let origin = Origin::default();
    Change { table: Arc::clone(table), op, key, before, after, origin, unreadable: None }
}

/// A table of (key, unique value) as MySQL would keep it: the changes of a source that checks its unique key row by row.
#[derive(Clone, Debug, Default)]
struct Model(BTreeMap<u8, u8>);

impl Model {
    /// Sets a key to a value, or removes it. `None` where that would break the unique key, or changes nothing.
    fn step(&mut self, table: &Arc<Table>, key: u8, unique: Option<u8>) -> Option<Vec<Change<OwnedRow>>> {
        let old = self.0.get(&key).copied();
        if unique.is_some_and(|u| self.0.iter().any(|(k, v)| *k != key && *v == u)) {
            return None;
        }
        let before = old.map(|u| row(key, u));
        let after = unique.map(|u| row(key, u));
        match unique {
            Some(unique) => self.0.insert(key, unique),
            None => self.0.remove(&key),
        };
        let op = match (&before, &after) {
            (None, Some(_)) => Op::Create,
            (Some(_), Some(_)) => Op::Update,
            (Some(_), None) => Op::Delete,
            (None, None) => return None,
        };
        Some(vec![change(table, op, before, after)])
    }
}

/// What the sink does at the destination: first every row that goes or changes its unique value, then what stays.
/// Fails where a row hits another over the unique key.
fn apply(destination: &mut BTreeMap<u8, u8>, folded: &Folded<'_, OwnedRow>) -> Result<(), String> {
    for net in folded.tables.iter().flat_map(|t| &t.keyed) {
        let moved = match (&net.before, net.after) {
            (_, None) | (Before::Unknown, _) => true,
            (Before::Absent, _) => false,
            (Before::Row(before), Some(after)) => numbers(before).1 != numbers(after).1,
        };
        if moved {
            destination.remove(&numbers(net.image).0);
        }
    }
    for after in folded.tables.iter().flat_map(|t| &t.keyed).filter_map(|n| n.after) {
        let (key, unique) = numbers(after);
        if let Some((other, _)) = destination.iter().find(|(k, v)| **k != key && **v == unique) {
            return Err(format!("{key} takes {unique} from {other}"));
        }
        destination.insert(key, unique);
    }
    Ok(())
}

proptest! {
    /// Keys come, go, come again and swap their unique values: the net changes lead to the same state, and
    /// no row hits another on the way.
    #[test]
    fn the_net_changes_do_what_the_changes_did(
        start in proptest::collection::vec((0u8..6, 0u8..6), 0..6),
        steps in proptest::collection::vec((0u8..6, proptest::option::of(0u8..6)), 0..60),
    ) {
        let table = table("t");
        let mut source = Model::default();
        for (key, unique) in start {
            source.step(&table, key, Some(unique));
        }
        let mut destination = source.0.clone();
        let changes: Vec<_> =
            steps.into_iter().filter_map(|(key, unique)| source.step(&table, key, unique)).flatten().collect();
        let folded = fold(&changes).unwrap();
        prop_assert_eq!(apply(&mut destination, &folded), Ok(()));
        prop_assert_eq!(&destination, &source.0);
        let keys: usize = folded.tables.iter().map(|t| t.keyed.len()).sum();
        prop_assert!(keys <= 6);
    }

    /// And once more over its own result, as after a crash between two ledgers: nothing changes.
    #[test]
    fn doing_it_again_changes_nothing(
        steps in proptest::collection::vec((0u8..6, proptest::option::of(0u8..6)), 0..60),
    ) {
        let table = table("t");
        let mut source = Model::default();
        let changes: Vec<_> =
            steps.into_iter().filter_map(|(key, unique)| source.step(&table, key, unique)).flatten().collect();
        let folded = fold(&changes).unwrap();
        let mut destination = BTreeMap::new();
        for _ in 0..2 {
            // Over a newer state every row that is written goes first, as in a replay.
            for net in folded.tables.iter().flat_map(|t| &t.keyed) {
                destination.remove(&numbers(net.image).0);
            }
            prop_assert_eq!(apply(&mut destination, &folded), Ok(()));
            prop_assert_eq!(&destination, &source.0);
        }
    }
}

#[test]
fn inserted_and_deleted_is_a_delete() {
    let table = table("t");
    let changes = [
        change(&table, Op::Create, None, Some(row(1, 1))),
        change(&table, Op::Delete, Some(row(1, 1)), None),
    ];
    let folded = fold(&changes).unwrap();
    let net = &folded.tables[0].keyed[0];
    assert!(net.after.is_none() && matches!(net.before, Before::Absent));
}

#[test]
fn schemas_of_one_table_share_their_keys() {
    let (old, new, other) = (table("t"), table("t"), table("u"));
    let changes = [
        change(&old, Op::Create, None, Some(row(1, 1))),
        change(&other, Op::Create, None, Some(row(1, 9))),
        change(&new, Op::Update, Some(row(1, 1)), Some(row(1, 2))),
    ];
    let folded = fold(&changes).unwrap();
    assert_eq!(folded.tables.len(), 2);
    let net = &folded.tables[0].keyed[0];
    assert_eq!((folded.tables[0].keyed.len(), net.schema, net.one_schema), (1, 1, false));
    assert_eq!(numbers(net.after.unwrap()), (1, 2));
}

#[test]
fn a_change_without_its_image_and_a_truncate_among_others_are_refused() {
    let table = table("t");
    let mut incomplete = change(&table, Op::Update, Some(row(1, 1)), None);
    assert_eq!(fold(std::slice::from_ref(&incomplete)).unwrap_err().kind(), Kind::RowMismatch);
    incomplete.op = Op::Truncate;
    assert_eq!(fold(&[incomplete]).unwrap_err().kind(), Kind::Bug);
}
