use super::*;

fn cut(incarnation: u64, sequence: u64) -> CutId {
    CutId { incarnation, sequence }
}

fn advance(cut: CutId) -> Advance {
    Advance {
        cut,
        cuts_offset: 8,
        places: vec![Place { topic: "p.it's".into(), partition: 3, offset: 9 }],
        position: "uuid:1-5".into(),
        committed_us: 6,
        snapshot_complete: true,
    }
}

#[test]
fn a_replay_converges_until_it_passes_the_highest_cut() {
    let mut progress = Progress { high_water: Some(cut(1, 5)), ..Progress::default() };
    assert!(progress.converging());
    progress.advance(advance(cut(1, 4)));
    assert!(progress.converging());
    progress.advance(advance(cut(1, 5)));
    assert!(!progress.converging());
    progress.advance(advance(cut(2, 6)));
    assert_eq!(progress.high_water, Some(cut(2, 6)));
    assert_eq!(progress.places, HashMap::from([(("p.it's".to_owned(), 3), 9)]));
}

#[test]
fn the_update_names_what_this_sink_believes_in() {
    let ledger = Ledger { database: "c`dc".into(), name: "it's".into() };
    let from = Progress { epoch: 7, high_water: Some(cut(1, 9)), ..Progress::default() };
    let sql = ledger.advance_sql(&from, &advance(cut(1, 4)));
    assert!(sql.starts_with("UPDATE `c``dc`.`ledger` SET incarnation = 1, sequence = 4, high_incarnation = 1, high_sequence = 9,"), "{sql}");
    assert!(
        sql.ends_with("WHERE name = 'it''s' AND epoch = 7 AND incarnation <=> NULL AND sequence <=> NULL"),
        "{sql}"
    );
    let places = ledger.places_of(&advance(cut(1, 4)).places).unwrap();
    assert!(places.ends_with("VALUES ('it''s','p.it''s',3,9)"), "{places}");
    assert_eq!(ledger.places_of(&[]), None);
}
