use super::*;
use crate::column::{ColumnType, Width};

/// Columns a to e, of which d may be NULL; a primary key (b, a), and unique keys on c, on d and on the first letters of e.
fn table(keys: &[(KeyKind, &[usize], Option<u32>)]) -> Table {
    let ty = ColumnType::Integer { width: Width::Int, unsigned: false };
    let column = |name: &str| Column {
        name: name.to_owned(),
        ty: ty.clone(),
        nullable: name == "d",
        charset: None,
        collation: None,
        extra: Default::default(),
    };
    let part = |column: &usize, prefix| KeyPart { on: KeyOn::Column(*column), prefix, descending: false };
    let key = |(kind, columns, prefix): &(KeyKind, &[usize], Option<u32>)| {
        Key::new(*kind, "", columns.iter().map(|column| part(column, *prefix)).collect())
    };
    Table {
        version: Table::VERSION,
        name: TableName::new("shop", "t"),
        columns: ["a", "b", "c", "d", "e"].map(column).to_vec(),
        keys: keys.iter().map(key).collect(),
        collation: None,
        comment: String::new(),
        chosen_key: None,
    }
}

fn with_primary() -> Table {
    use KeyKind::{Primary, Unique};
    table(&[(Primary, &[1, 0], None), (Unique, &[2], None), (Unique, &[3], None), (Unique, &[4], Some(3))])
}

fn chosen(columns: &[usize]) -> Table {
    Table { chosen_key: Some(columns.to_vec()), ..with_primary() }
}

#[test]
fn a_key_holds_one_of_the_tables_or_is_a_part_of_the_identity() {
    let table = with_primary();
    for columns in [&[0, 1][..], &[1, 0], &[3, 0, 1], &[2], &[2, 4], &[4, 2]] {
        assert_eq!(table.role_of(columns), Some(KeyRole::TellsRows), "{columns:?}");
    }
    for columns in [&[0][..], &[1]] {
        assert_eq!(table.role_of(columns), Some(KeyRole::Shared), "{columns:?}");
    }
    // Several rows may have no d; e is unique by its first letters, so here it is not known to be.
    for columns in [&[3][..], &[4], &[0, 3], &[3, 4]] {
        assert_eq!(table.role_of(columns), None, "{columns:?}");
    }
    assert_eq!(self::table(&[(KeyKind::Unique, &[3], None)]).role_of(&[0]), Some(KeyRole::Keyless));
}

#[test]
fn events_tell_rows_apart_by_the_identity_and_what_else_the_key_has() {
    for (key, event_key, tells, follows) in [
        (&[0, 1][..], &[1, 0][..], true, true),
        (&[3, 0, 1], &[1, 0, 3], true, false),
        (&[2], &[1, 0, 2], true, false),
        (&[1], &[1, 0], false, true),
    ] {
        let table = chosen(key);
        assert_eq!(table.record_key().as_deref(), Some(key));
        assert_eq!(table.event_key().as_deref(), Some(event_key), "{key:?}");
        assert_eq!((table.key_tells_rows(), table.key_follows_identity()), (tells, follows), "{key:?}");
    }
    let plain = with_primary();
    assert_eq!((plain.record_key(), plain.event_key()), (plain.identity(), plain.identity()));
    assert!(plain.key_tells_rows() && plain.key_follows_identity());
    let keyless = Table { chosen_key: Some(vec![0]), ..table(&[]) };
    assert_eq!((keyless.record_key(), keyless.event_key()), (Some(vec![0]), None));
    assert!(!keyless.key_tells_rows() && keyless.key_follows_identity());
    assert!(!table(&[]).key_tells_rows());
}

#[test]
fn a_table_whose_key_was_not_chosen_is_stored_as_ever() {
    let stored = serde_json::to_string(&with_primary()).unwrap();
    assert!(!stored.contains("chosen_key"), "{stored}");
}
