//! What the random tables find: ten bugs, each planted at a place of its own on the road of a value.

use tokio::task::JoinSet;

use super::{Modes, Plan, registry, servers, world};
use crate::kit::{Dice, seed};

/// Each with where it is. `cdc_sdk::fail::planted` is asked for them there.
const BUGS: [(&str, &str); 10] = [
    ("codec.mediumint_sign", "row image: a negative MEDIUMINT is a large positive one"),
    ("codec.decimal_remainder", "row image: the eight odd digits of a DECIMAL are taken for seven"),
    ("codec.negative_fraction", "row image: the fraction of a negative TIME is off by one"),
    ("codec.latin1", "both readers: latin1 is not cp1252"),
    ("codec.json_int16", "JSON: a small number has no sign"),
    ("codec.set_64", "to Avro: the 64th member of a SET is left out"),
    ("codec.bigint_long", "to Avro: BIGINT UNSIGNED as long ends at 2^63 - 1"),
    ("codec.srid", "from Avro: a geometry has no SRID"),
    ("codec.enum_zero", "from Avro: the index 0 of an ENUM is its first member"),
    ("codec.float_digits", "SQL: a FLOAT has six digits"),
];
/// Cases of a world, and of all worlds of a bug: they must have it within these.
const WORLD_CASES: usize = 30;
const CASES: usize = 360;
/// Bugs at a time.
const ROADS: usize = 3;

/// With each bug, and the same tables. Without any there must be no difference, else nothing would be shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "long: make soak"]
async fn planted_codec_bugs_are_found() {
    let seed = seed();
    println!("values: CDC_TEST_SEED={seed}");
    let (servers, registry) = (servers(), registry::start().await);
    let mut roads = JoinSet::new();
    let mut found = Vec::new();
    for bug in [None].into_iter().chain(BUGS.iter().map(|(bug, _)| Some(*bug))) {
        if roads.len() == ROADS {
            found.push(roads.join_next().await.unwrap().unwrap());
        }
        let (servers, registry) = (servers.clone(), registry.clone());
        roads.spawn(async move {
            let mut dice = Dice::of(seed);
            for (number, first) in (0..CASES).step_by(WORLD_CASES).enumerate() {
                let last = first + WORLD_CASES;
                let modes = Modes::of(number, &mut dice);
                let dice = Dice::of(dice.bits());
                let plan = Plan { cases: first..last, is_first: false, modes, plant: bug, dice };
                if let Err(how) = world(plan, registry.clone(), servers.clone()).await {
                    return (bug, Some((last, how)));
                }
            }
            (bug, None)
        });
    }
    found.extend(roads.join_all().await);
    println!("bug | seed | found after so many cases | how");
    for (bug, _) in BUGS {
        let (_, outcome) = found.iter().find(|(found, _)| *found == Some(bug)).unwrap();
        let (cases, how) =
            outcome.clone().map_or_else(Default::default, |(cases, how)| (cases.to_string(), how));
        let how = how.lines().last().unwrap_or("not found").chars().take(160).collect::<String>();
        println!("{bug} | {seed} | {cases} | {how}");
    }
    let (_, without) = found.iter().find(|(bug, _)| bug.is_none()).unwrap();
    assert!(without.is_none(), "without any bug: {without:?}");
    let missed: Vec<_> = found.iter().filter(|(bug, outcome)| bug.is_some() && outcome.is_none()).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
