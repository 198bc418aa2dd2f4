use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Error, Kind, Op, OwnedRow, OwnedValue, Value};

use super::*;
use crate::batch::Change;

fn table(name: &str, keyed: bool) -> Arc<Table> {
    let column = |name: &str| cdc_sdk::Column {
        name: name.to_owned(),
        ty: cdc_sdk::ColumnType::Integer { width: cdc_sdk::column::Width::Int, unsigned: false },
        nullable: false,
        charset: None,
        collation: None,
        extra: Default::default(),
    };
    let part = KeyPart { on: KeyOn::Column(0), prefix: None, descending: false };
    let primary = Key::new(KeyKind::Primary, "PRIMARY", vec![part]);
    Arc::new(Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("shop", name),
        columns: vec![column("id"), column("v")],
        keys: if keyed { vec![primary] } else { Vec::new() },
        collation: None,
        comment: String::new(),
    })
}

fn change(table: &Arc<Table>, id: u8, offset: i64) -> Change<OwnedRow> {
    let row = [i64::from(id), 0].map(|v| OwnedValue::Plain(Value::Int(v))).to_vec();
    Change {
        table: Arc::clone(table),
        op: Op::Create,
        key: table.identity().map(|_| Bytes::from(vec![id])),
        before: None,
        after: Some(row),
        origin: Origin { stream: 0, offset },
        unreadable: None,
    }
}

fn place(origin: Origin) -> Place {
    Place { topic: "t".into(), partition: 0, offset: origin.offset }
}

fn found(aside: &mut Aside, change: &Change<OwnedRow>) {
    aside.extend(vec![Guilty { change, error: Error::new(Kind::RowRefused, "too long") }]);
}

fn offsets(aside: &Aside, changes: &[Change<OwnedRow>], converging: bool) -> Vec<i64> {
    aside.letters(changes, converging).iter().map(|letter| letter.origin.offset).collect()
}

#[test]
fn all_changes_of_a_key_at_fault_become_letters_and_no_others() {
    let (orders, others) = (table("orders", true), table("others", true));
    let changes =
        [change(&orders, 1, 10), change(&orders, 2, 11), change(&others, 1, 12), change(&orders, 1, 13)];
    let mut aside = Aside::of(&changes, &Quarantine::default());
    assert!(aside.is_empty());
    found(&mut aside, &changes[3]);
    found(&mut aside, &changes[0]);
    assert_eq!(aside.new, 1);
    assert_eq!(offsets(&aside, &changes, false), [10, 13]);
    let held = aside.held(&changes, false, 5, place);
    assert_eq!(held.len(), 1);
    assert_eq!(
        (held[0].letters, held[0].first.offset, held[0].last.offset, held[0].letters_from),
        (2, 10, 13, 5)
    );
    assert_eq!((&*held[0].shown, held[0].why.code.as_str()), ("id=1", "E050"));
    let mut quarantine = Quarantine::default();
    held.into_iter().for_each(|held| quarantine.take_in(held));
    // Later ones follow, and are no news.
    let later = [change(&orders, 2, 20), change(&orders, 1, 21)];
    let aside = Aside::of(&later, &quarantine);
    assert_eq!((aside.new, offsets(&aside, &later, false)), (0, vec![21]));
    aside.held(&later, false, 9, place).into_iter().for_each(|held| quarantine.take_in(held));
    let held = quarantine.held()[0].clone();
    assert_eq!((held.letters, held.first.offset, held.last.offset, held.letters_from), (3, 10, 21, 5));
    quarantine.release(&held.table, &held.key);
    assert!(quarantine.is_empty() && quarantine.by_table().is_empty());
}

#[test]
fn without_a_key_the_table_is_one_and_a_replay_repeats_nothing() {
    let log = table("log", false);
    let changes = [change(&log, 1, 1), change(&log, 2, 2)];
    let mut aside = Aside::default();
    found(&mut aside, &changes[1]);
    assert_eq!(offsets(&aside, &changes, false), [1, 2]);
    let held = aside.held(&changes, false, 0, place);
    assert_eq!((held.len(), &*held[0].shown, held[0].letters), (1, "*", 2));
    assert!(offsets(&aside, &changes, true).is_empty());
    assert!(aside.held(&changes, true, 0, place).is_empty());
    assert!(aside.has(&changes[0]), "but it is not applied either");
}

#[test]
fn what_cannot_be_read_takes_its_key_or_its_table_along() {
    let orders = table("orders", true);
    let unreadable = |change: Change<OwnedRow>| Change {
        unreadable: Some(Arc::new(Error::new(Kind::Decode, "damaged"))),
        after: None,
        ..change
    };
    let of_key = [change(&orders, 1, 1), unreadable(change(&orders, 1, 2)), change(&orders, 2, 3)];
    let aside = Aside::of(&of_key, &Quarantine::default());
    assert_eq!((aside.new, offsets(&aside, &of_key, false)), (1, vec![1, 2]));
    assert_eq!(aside.letters(&of_key, false)[0].key.as_ref(), "0x01");
    let of_any = [change(&orders, 1, 1), Change { key: None, ..unreadable(change(&orders, 9, 2)) }];
    let aside = Aside::of(&of_any, &Quarantine::default());
    assert_eq!(offsets(&aside, &of_any, false), [1, 2]);
}

#[test]
fn truncate_is_no_letter() {
    let orders = table("orders", true);
    let truncate = Change { op: Op::Truncate, key: None, after: None, ..change(&orders, 0, 7) };
    let mut aside = Aside::default();
    let keyless = Change { key: None, ..change(&orders, 1, 8) };
    found(&mut aside, &keyless);
    assert_eq!(offsets(&aside, &[truncate, keyless], false), [8]);
}

#[test]
fn a_long_key_is_shown_so_that_it_is_told_from_others() {
    let orders = table("orders", true);
    let unreadable = |end: u8| Change {
        key: Some(Bytes::from([vec![b'x'; 150], vec![end]].concat())),
        unreadable: Some(Arc::new(Error::new(Kind::Decode, "damaged"))),
        ..change(&orders, 1, i64::from(end))
    };
    let changes = [unreadable(1), unreadable(2)];
    let held = Aside::of(&changes, &Quarantine::default()).held(&changes, false, 0, place);
    let shown: Vec<_> = held.iter().map(|held| held.shown.to_string()).collect();
    assert!(shown[0] != shown[1] && shown.iter().all(|text| text.starts_with("0x78787878")), "{shown:?}");
    assert!(shown.iter().all(|text| text.chars().count() == KEY_CHARS_MAX), "{shown:?}");
}

#[test]
fn a_table_whose_key_becomes_another_goes_as_a_whole_while_rows_of_it_are_held() {
    let keyed = |columns: &[usize]| {
        let parts =
            columns.iter().map(|&c| KeyPart { on: KeyOn::Column(c), prefix: None, descending: false });
        let primary = Key::new(KeyKind::Primary, "PRIMARY", parts.collect());
        Arc::new(Table { keys: vec![primary], ..(*table("orders", true)).clone() })
    };
    let old = keyed(&[0, 1]);
    let mut quarantine = Quarantine::default();
    let first = [change(&old, 1, 1)];
    let mut aside = Aside::default();
    found(&mut aside, &first[0]);
    aside.held(&first, false, 0, place).into_iter().for_each(|held| quarantine.take_in(held));
    let lettered = |table: &Arc<Table>, quarantine: &Quarantine| {
        let changes = [change(table, 2, 2), change(&self::table("others", true), 2, 3)];
        let mut aside = Aside::of(&changes, quarantine);
        aside.add_other_keys(&changes, quarantine);
        aside.held(&changes, false, 0, place)
    };
    assert!(lettered(&keyed(&[0, 1]), &quarantine).is_empty(), "the same key in another schema");
    for other in [keyed(&[1, 0]), keyed(&[1]), table("orders", false)] {
        let held = lettered(&other, &quarantine);
        assert_eq!(held.len(), 1, "{:?}", other.keys);
        assert_eq!((&held[0].key, held[0].why.code.as_str(), held[0].first.offset), (&None, "E056", 2));
    }
    quarantine.release(&old.name, &first[0].key);
    assert!(lettered(&keyed(&[1]), &quarantine).is_empty(), "nothing waits");
}
