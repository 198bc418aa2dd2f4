//! A key that is spelled anew, as its collation allows, is one row for both sides.

use std::sync::Arc;

use cdc_mysql_sink::{Change, TwoWay};
use cdc_sdk::{Kind, OwnedRow, Table};

use crate::world::*;

/// A row that is `A 100` on both sides, is changed here, and at the source; what it is then where the source wins,
/// the destination, and the last writer.
type Case = (&'static str, &'static [(&'static str, i64)], [&'static str; 3]);

/// The source's last spelling of a row that it deletes in the end.
const GONE: (&str, i64) = ("", 0);

const CONFLICTS: [Case; 5] = [
    ("v = 300", &[("a", 500)], ["a 500", "A 300", "a 500"]),
    ("v = 700", &[("a", 500)], ["a 500", "A 700", "A 700"]),
    ("v = 700, name = 'a'", &[("a", 500)], ["a 500", "a 700", "a 700"]),
    ("v = 300, name = 'á'", &[("a", 500)], ["a 500", "á 300", "a 500"]),
    ("v = 700", &[("a", 500), GONE], ["", "A 700", "A 700"]),
];
const NONE: [Case; 4] = [
    ("v = 100", &[("a", 100)], ["a 100"; 3]),
    ("v = 500, name = 'a'", &[("a", 500)], ["a 500"; 3]),
    ("v = 100", &[("a", 200), ("á", 100)], ["á 100"; 3]),
    ("v = 100", &[("a", 100), GONE], [""; 3]),
];

/// (name VARCHAR, number INT, v INT), the first two its key; `v` is the time, too.
fn names(world: &World) -> Arc<Table> {
    let columns = vec![varchar("name", 20), int("number"), nullable(int("v"))];
    world.table("names", columns, vec![primary(&[0, 1])])
}

/// The source's events: of each new spelling a delete and a create.
fn changes(names: &Arc<Table>, number: i64, spellings: &[(&str, i64)]) -> Vec<Change<OwnedRow>> {
    let row = |(name, v): (&str, i64)| vec![t(name), n(number), n(v)];
    let mut before = ("A", 100);
    let mut changes = Vec::new();
    for &after in spellings {
        changes.push(delete(names, row(before)));
        if after != GONE {
            changes.push(create(names, row(after)));
        }
        before = after;
    }
    changes
}

/// What the rows are after both sides' changes, all in one batch, and how many conflicts there were.
async fn settled(world: &World, policy: TwoWay, cases: &[Case]) -> cdc_sdk::Result<(Vec<String>, u64)> {
    let mut world = world.clone();
    world.settings.two_way = Some(policy);
    let names = names(&world);
    let mut sink = world.open().await;
    let numbered = || (1..).zip(cases);
    let rows = numbered().map(|(number, _)| create(&names, vec![t("A"), n(number), n(100)])).collect();
    world.apply(&mut sink, rows).await.unwrap();
    let mut batch = Vec::new();
    for (number, (here, spellings, _)) in numbered() {
        world.sql(&format!("UPDATE DB.names SET {here} WHERE number = {number}")).await;
        batch.extend(changes(&names, number, spellings));
    }
    let applied = world.apply(&mut sink, batch).await;
    sink.close().await;
    let mut found = Vec::new();
    for (number, _) in numbered() {
        let sql = format!("SELECT CONCAT_WS(' ', name, v) FROM DB.names WHERE number = {number}");
        found.push(world.texts(&sql).await.join(", "));
    }
    Ok((found, applied?.conflicts))
}

#[test]
fn it_gets_one_verdict() {
    let last_writer = TwoWay::LastWriter { column: "v".into() };
    let policies = [TwoWay::SourceWins, TwoWay::DestinationWins, last_writer];
    for (at, policy) in policies.into_iter().enumerate() {
        in_world(move |world| async move {
            let cases = [CONFLICTS.as_slice(), &NONE].concat();
            let wanted: Vec<_> = cases.iter().map(|(_, _, wanted)| wanted[at]).collect();
            let (found, conflicts) = settled(&world, policy.clone(), &cases).await.unwrap();
            assert_eq!(found, wanted, "{policy:?}");
            assert_eq!(conflicts, CONFLICTS.len() as u64, "{policy:?}");
        });
    }
}

#[test]
fn it_stops_only_where_both_sides_have_changed_it() {
    in_world(|world| async move {
        let (found, _) = settled(&world, TwoWay::Stop, &NONE).await.unwrap();
        assert_eq!(found, NONE.map(|(_, _, wanted)| wanted[0]));
    });
    for case in CONFLICTS {
        in_world(move |world| async move {
            let refused = settled(&world, TwoWay::Stop, &[case]).await.unwrap_err();
            assert_eq!(refused.kind(), Kind::Divergence, "{case:?}");
            assert!(refused.to_string().contains("changed on both sides"), "{refused}");
        });
    }
}
