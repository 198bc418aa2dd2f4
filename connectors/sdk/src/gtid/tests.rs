use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn origin() -> Origin {
    Origin { uuid: [7; 16], tag: String::new() }
}

fn set(numbers: &BTreeSet<u64>) -> GtidSet {
    let mut set = GtidSet::default();
    for &number in numbers {
        set.insert(&Gtid { origin: origin(), number });
    }
    set
}

#[test]
fn reads_what_servers_print() {
    let text = format!("{}:1-5:7,\n{A}:cdc_x:1:3-4", A.to_uppercase());
    let set: GtidSet = text.parse().unwrap_or_default();
    assert_eq!(set.to_string(), format!("{A}:1-5:7,{A}:cdc_x:1:3-4"));
    assert_eq!(
        format!("{A}:1-2:tag:5:8-9").parse::<GtidSet>().map(|s| s.to_string()).ok(),
        Some(format!("{A}:1-2,{A}:tag:5:8-9"))
    );
}

#[test]
fn refuses_what_is_none() {
    for text in ["x:1", "3e11fa47:1", &format!("{A}:0"), &format!("{A}:5-1"), &format!("{A}:1--2")] {
        assert!(text.parse::<GtidSet>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn behaves_as_a_set(
        a in proptest::collection::btree_set(1u64..60, 0..40),
        b in proptest::collection::btree_set(1u64..60, 0..40),
    ) {
        let (sa, sb) = (set(&a), set(&b));
        let mut union = sa.clone();
        union.extend(&sb);
        prop_assert_eq!(&union, &set(&(&a | &b)));
        prop_assert_eq!(sa.minus(&sb), set(&(&a - &b)));
        prop_assert_eq!(sa.is_subset(&sb), a.is_subset(&b));
        prop_assert_eq!(sa.to_string().parse::<GtidSet>().ok(), Some(sa.clone()));
        for number in 1..60 {
            prop_assert_eq!(sa.contains(&Gtid { origin: origin(), number }), a.contains(&number));
        }
    }
}
