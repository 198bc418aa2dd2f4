use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::{Cli, Command, OffsetsCommand, SnapshotVerb};
use crate::pipeline::offsets::Of;
use crate::pipeline::replay::ReplayFrom;
use cdc_sdk::CutId;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(words(line))
}

/// A line as a shell splits it; single quotes only, as the examples have.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The lines under `Examples:` in the help of a command and of those within it.
fn examples(command: &clap::Command) -> Vec<(String, Vec<String>)> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().filter_map(|l| l.strip_prefix("  cdc")).map(|l| format!("cdc{l}")).collect();
    let mut all = vec![(command.get_name().to_owned(), lines)];
    for inner in command.get_subcommands() {
        all.extend(examples(inner));
    }
    all
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_example_in_the_help_parses() {
    let mut seen = 0;
    for (_, lines) in examples(&Cli::command()) {
        for line in lines {
            if let Err(error) = parse(&line) {
                panic!("{line}: {error}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} examples were found");
}

#[test]
fn every_command_that_does_something_has_examples() {
    for (name, lines) in examples(&Cli::command()) {
        assert!(name == "offsets" || !lines.is_empty(), "{name}");
    }
}

fn replay_from(line: &str) -> ReplayFrom {
    match parse(&format!("cdc replay -c sink.toml {line}")).unwrap().command {
        Command::Replay(args) => args.from.chosen().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replay_begins_where_it_is_told() {
    assert_eq!(replay_from("--earliest"), ReplayFrom::Earliest);
    let place = ReplayFrom::Offset { topic: "shop.a.b".to_owned(), partition: 2, offset: 120_034 };
    assert_eq!(replay_from("--from-offset shop.a.b:2:120034"), place);
    assert_eq!(replay_from("--from-timestamp 1970-01-01T00:00:01Z"), ReplayFrom::Timestamp(1_000_000));
    assert_eq!(replay_from("--from-timestamp 1000"), ReplayFrom::Timestamp(1_000_000));
    let set = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77";
    assert_eq!(replay_from(&format!("--from-gtid {set}")), ReplayFrom::Gtid(set.parse().unwrap()));
}

#[test]
fn a_place_that_cannot_be_read_is_wrong_use_and_never_a_guess() {
    for place in [
        "--from-offset a:1",
        "--from-offset a:b:1",
        "--from-offset :1:1",
        "--from-offset a:1:-1",
        "--from-offset a:99999999999:1",
        "--from-timestamp soon",
        "--from-timestamp 99999999999999999",
        "--from-gtid x",
        "--from-gtid ''",
        "--from-gtid ','",
    ] {
        let error = parse(&format!("cdc replay -c sink.toml {place}")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{place}");
        assert_eq!(error.kind(), ErrorKind::ValueValidation, "{place}");
    }
}

#[test]
fn a_replay_begins_at_exactly_one_place() {
    let none = parse("cdc replay -c sink.toml").unwrap_err();
    assert_eq!(none.kind(), ErrorKind::MissingRequiredArgument);
    let two = parse("cdc replay -c sink.toml --earliest --from-timestamp 1").unwrap_err();
    assert_eq!(two.kind(), ErrorKind::ArgumentConflict);
}

#[test]
fn cuts_are_written_as_they_are_shown() {
    let shown = CutId { incarnation: 3, sequence: 1_024 };
    match parse(&format!("cdc offsets show -c sink.toml --cut {shown}")).unwrap().command {
        Command::Offsets(OffsetsCommand::Show(args)) => {
            assert_eq!(args.of.chosen(), Of::Place(ReplayFrom::Cut(shown)));
        }
        other => panic!("{other:?}"),
    }
    for wrong in ["3", "3.", ".4", "3.4.5", "-3.4", "a.b"] {
        for command in ["show", "set", "export offsets.json"] {
            let line = format!("cdc offsets {command} -c sink.toml --cut {wrong}");
            assert_eq!(parse(&line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}

#[test]
fn a_backup_is_named_by_its_gtid_set() {
    let set = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77";
    for written in [set.to_owned(), format!("+{set}")] {
        match parse(&format!("cdc sink -c sink.toml --from-gtid {written}")).unwrap().command {
            Command::Sink(args) => assert_eq!(args.from_gtid, Some(set.parse().unwrap())),
            other => panic!("{other:?}"),
        }
    }
    for wrong in ["''", "','", "77", "3e11fa47:1-77", "3e11fa47-71ca-11e1-9e33-c80aa9429562:7-1"] {
        let error = parse(&format!("cdc sink -c sink.toml --from-gtid {wrong}")).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::ValueValidation, 2), "{wrong}");
    }
    let source = parse(&format!("cdc source -c source.toml --from-gtid {set}")).unwrap_err();
    assert_eq!(source.kind(), ErrorKind::UnknownArgument);
}

#[test]
fn offsets_are_set_to_exactly_one_place_and_forward_only_on_demand() {
    let none = parse("cdc offsets set -c sink.toml").unwrap_err();
    assert_eq!(none.kind(), ErrorKind::MissingRequiredArgument);
    let two = parse("cdc offsets set -c sink.toml --cut 1.2 --from-timestamp 1").unwrap_err();
    assert_eq!(two.kind(), ErrorKind::ArgumentConflict);
    match parse("cdc offsets set -c sink.toml --from-timestamp 1000 --yes").unwrap().command {
        Command::Offsets(OffsetsCommand::Set(args)) => {
            assert!(!args.allow_skip && args.sure.yes && !args.sure.dry_run);
            assert_eq!(args.to.chosen().unwrap(), ReplayFrom::Timestamp(1_000_000));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn settings_must_be_named() {
    for command in ["source", "sink", "check", "status", "offsets show", "replay --earliest"] {
        let error = parse(&format!("cdc {command}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument, "{command}");
    }
}

#[test]
fn log_options_stand_before_or_after_the_command() {
    for line in ["cdc --log-format json sink -c a", "cdc sink -c a --log-format json"] {
        assert_eq!(parse(line).unwrap().logs.log_format, super::Format::Json, "{line}");
    }
}

#[test]
fn a_snapshot_is_asked_for_or_a_verb_is_told() {
    let parsed = |line: &str| match parse(line).unwrap().command {
        Command::Snapshot(args) => args,
        other => panic!("{other:?}"),
    };
    let asked = parsed("cdc snapshot -c s.toml --tables a.b,c.* --tables d.e --where 'id > 5'");
    assert_eq!((asked.tables.len(), asked.condition.as_deref()), (2, Some("id > 5")));
    assert!(asked.verb.is_none() && asked.config.is_some() && asked.patience.wait == 30);
    assert!(matches!(parsed("cdc snapshot stop -c s.toml").verb, Some(SnapshotVerb::Stop(_))));
    for wrong in [
        "cdc snapshot -c s.toml",
        "cdc snapshot --tables a.b",
        "cdc snapshot pause",
        "cdc snapshot -c s.toml --tables a.b pause -c s.toml",
        "cdc snapshot -c s.toml --tables a.b --where 'id = 1' --empty-first",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
