use super::*;

fn live(lanes: &mut Lanes<()>, topic: &str, partition: i32) -> usize {
    let id = lanes.insert(topic, partition, From::Earliest);
    lanes.set_flow(id, Flow::Live(()));
    lanes.touch(id);
    id
}

#[test]
fn lanes_are_found_until_removed() {
    let mut lanes: Lanes<()> = Lanes::new();
    let a = lanes.insert("a", 0, From::Offset(5));
    assert_eq!(lanes.find("a", 0), Some(a));
    assert_eq!(lanes.find("a", 1), None);
    assert_eq!(lanes.find("b", 0), None);
    assert_eq!(lanes.remove(a).unwrap().from, From::Offset(5));
    assert_eq!(lanes.find("a", 0), None);
    assert_ne!(lanes.insert("a", 0, From::Earliest), a);
}

#[test]
fn the_stalest_are_those_read_longest_ago() {
    let mut lanes = Lanes::new();
    let (a, b, c) = (live(&mut lanes, "t", 0), live(&mut lanes, "t", 1), live(&mut lanes, "t", 2));
    lanes.insert("t", 3, From::Earliest);
    lanes.touch(a);
    assert_eq!(lanes.stalest_live(2), [b, c]);
    assert_eq!(lanes.live_count(), 3);
    lanes.set_flow(b, Flow::Ebbing(()));
    lanes.remove(c);
    assert_eq!((lanes.live_count(), lanes.ebbing().count(), lanes.count()), (1, 1, 3));
    lanes.ebbed();
    assert_eq!(lanes.ebbing().count(), 0);
}

#[test]
fn waiting_lanes_come_in_the_order_asked_for() {
    let mut lanes: Lanes<()> = Lanes::new();
    let a = lanes.insert("t", 0, From::Earliest);
    let b = live(&mut lanes, "t", 1);
    let c = lanes.insert("t", 2, From::Earliest);
    assert_eq!(lanes.waiting_from(a, 9), [a, c]);
    assert_eq!(lanes.waiting_from(b, 9), [c]);
}

#[test]
fn lanes_asked_for_again_come_after_the_others() {
    let mut lanes: Lanes<()> = Lanes::new();
    let ids: Vec<usize> = (0..4).map(|partition| lanes.insert("t", partition, From::Earliest)).collect();
    lanes.ask(ids[3]);
    lanes.ask(ids[0]);
    assert_eq!(lanes.waiting_from(ids[3], 9), [ids[3], ids[0]]);
    assert_eq!(lanes.waiting_from(ids[1], 2), [ids[1], ids[2]]);
}

#[test]
fn what_is_to_be_read_is_let_go_last() {
    let mut lanes = Lanes::new();
    let ids: Vec<usize> = (0..4).map(|partition| live(&mut lanes, "t", partition)).collect();
    lanes.ask(ids[0]);
    lanes.ask(ids[1]);
    assert_eq!(lanes.stalest_live(4), [ids[2], ids[3], ids[1], ids[0]]);
    lanes.touch(ids[0]);
    assert_eq!(lanes.stalest_live(3), [ids[2], ids[3], ids[0]]);
}
