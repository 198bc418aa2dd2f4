use super::LogPlace;
use crate::binlog::frame::Header;

fn event(size: u32, log_pos: u32) -> Header {
    Header { size, log_pos, ..Header::default() }
}

#[test]
fn sizes_are_added_over_the_32_bits_of_a_header() {
    let mut place = LogPlace::new("b.1", u64::from(u32::MAX) - 10);
    assert_eq!(place.pass(&event(100, 89)), u64::from(u32::MAX) - 10);
    assert_eq!(place.end(), u64::from(u32::MAX) + 90);
    assert_eq!(place.pass(&event(10, 99)), u64::from(u32::MAX) + 90);
}

#[test]
fn a_gap_is_taken_from_the_header() {
    let mut place = LogPlace::new("b.1", 1000);
    assert_eq!(place.pass(&event(50, 5050)), 5000);
    assert_eq!(place.end(), 5050);
}

#[test]
fn events_in_no_file_and_old_heartbeats_move_nothing() {
    let mut place = LogPlace::new("b.1", 1000);
    place.pass(&event(50, 0));
    place.heartbeat(0);
    place.heartbeat(900);
    assert_eq!(place.end(), 1000);
    place.heartbeat(1200);
    assert_eq!(place.end(), 1200);
}

#[test]
fn a_rotate_changes_file_and_never_goes_back_in_one() {
    let mut place = LogPlace::new("b.1", 1000);
    place.rotate("b.1", 4);
    assert_eq!((&**place.file(), place.end()), ("b.1", 1000));
    place.rotate("b.2", 4);
    assert_eq!((&**place.file(), place.end()), ("b.2", 4));
}
