//! Runs a binlog file through the assembler.

use std::fmt::Write;

use cdc_sdk::pattern::{Pattern, Selection};
use cdc_sdk::{Position, Result, Row, RowChange, Value};

use super::super::{Assembler, Setting};
use crate::binlog::event::kind;
use crate::binlog::frame::{Frame, Header, Home};
use crate::binlog::reader::Reader;
use crate::binlog::{BinlogEvent, Collation, Collations, Enriched};
use crate::decode::RowImage;

/// The file's first bytes.
const MAGIC: usize = 4;

pub fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/golden/binlog/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The file's events, their checksums compared.
pub fn frames(bytes: &[u8]) -> Result<Vec<Frame>, &'static str> {
    let mut reader = Reader::new(bytes);
    reader.take(MAGIC).map_err(|why| why.0)?;
    let mut algorithm = None;
    let mut frames = Vec::new();
    while !reader.is_empty() {
        frames.push(Frame::from_file(&mut reader, &mut algorithm).map_err(|why| why.0)?);
    }
    Ok(frames)
}

/// The same transactions, each compressed that a server may compress: from BEGIN to XID, or to XA PREPARE.
pub fn compressed(frames: Vec<Frame>) -> Vec<Frame> {
    let mut all = Vec::new();
    let mut inside: Vec<Frame> = Vec::new();
    for frame in frames {
        let kind = frame.header.kind;
        let begins = kind == kind::QUERY && frame.body().ends_with(b"BEGIN")
            || frame.body().windows(8).any(|part| part == b"XA START");
        if inside.is_empty() && !begins {
            all.push(frame);
            continue;
        }
        inside.push(frame);
        if matches!(kind, kind::XID | kind::XA_PREPARE) {
            all.extend(packed(std::mem::take(&mut inside)));
        } else if inside.last().is_some_and(|last| last.body().ends_with(b"COMMIT")) {
            // Of tables without transactions: never compressed.
            all.append(&mut inside);
        }
    }
    all.append(&mut inside);
    all
}

fn packed(mut inside: Vec<Frame>) -> Vec<Frame> {
    let end = inside.last().unwrap().header;
    let size = inside.iter().map(|frame| frame.header.size).sum();
    let header = Header { kind: kind::TRANSACTION_PAYLOAD, size, ..end };
    let last = inside.len() - 1;
    for (index, frame) in inside.iter_mut().enumerate() {
        frame.home = Home::Payload { last: index == last };
        frame.header.log_pos = 0;
    }
    inside.insert(0, Frame::made(header, Vec::new()));
    inside
}

pub fn assembler(start: Position) -> Assembler {
    let include = vec![Pattern::parse("shop*.*").unwrap()];
    let exclude = vec![Pattern::parse("shop.other").unwrap()];
    let collation =
        |name: &str, charset: &str, maxlen| Collation { name: name.into(), charset: charset.into(), maxlen };
    let collations: Collations = [
        (8, collation("latin1_swedish_ci", "latin1", 1)),
        (63, collation("binary", "binary", 1)),
        (255, collation("utf8mb4_0900_ai_ci", "utf8mb4", 4)),
    ]
    .into_iter()
    .collect();
    let setting = Setting {
        selection: Selection { include, exclude },
        collations,
        fold_names: false,
        mark_json: false,
    };
    let reads_from = 4;
    Assembler::new(setting, start, reads_from)
}

pub fn start() -> Position {
    Position {
        gtids: Some(cdc_sdk::GtidSet::default()),
        file: "binlog.1".into(),
        pos: 4,
        ..Position::default()
    }
}

/// Takes a frame and hands what comes of it to `f`.
pub fn step(
    assembler: &mut Assembler,
    frame: Frame,
    mut f: impl FnMut(&Assembler, BinlogEvent) -> Result<()>,
) -> Result<()> {
    let mut unknown = assembler.take(frame)?;
    loop {
        if let Some(unknown) = unknown.take() {
            let answer = Enriched { table: unknown.table.clone(), changed_later: None };
            assembler.learn(unknown, answer);
        }
        while let Some(event) = assembler.pop() {
            if let BinlogEvent::Ddl(ddl) = &event {
                assembler.forget(&ddl.effects);
            }
            f(assembler, event)?;
        }
        match assembler.take_released()? {
            Some(more) => unknown = more,
            None => return Ok(()),
        }
    }
}

/// All that a file says, a line for each thing.
pub fn told(frames: Vec<Frame>, start: Position) -> Result<String> {
    let mut assembler = assembler(start);
    let mut text = String::new();
    for frame in frames {
        step(&mut assembler, frame, |assembler, event| tell(assembler, event, &mut text))?;
    }
    Ok(text)
}

fn tell(assembler: &Assembler, event: BinlogEvent, text: &mut String) -> Result<()> {
    match event {
        BinlogEvent::Idle => {}
        BinlogEvent::Begin(begin) => {
            let origin = begin.origin;
            let gtid = origin.gtid.as_deref().map(|g| g.split_once(':').map_or(g, |(_, rest)| rest));
            writeln!(text, "begin {} at {}", gtid.unwrap_or("-"), origin.pos).unwrap();
        }
        BinlogEvent::Commit(_) => writeln!(text, "commit at {}", assembler.position().pos).unwrap(),
        BinlogEvent::Ddl(ddl) => writeln!(text, "  ddl {:?}", ddl.effects).unwrap(),
        BinlogEvent::Rows(mut rows) => {
            let columns: Vec<_> =
                rows.table.columns.iter().map(|c| format!("{} {}", c.name, c.ty.sql())).collect();
            writeln!(text, "  {} of {} ({})", rows.op.letter(), rows.table.name, columns.join(", ")).unwrap();
            while let Some(change) = rows.next_row()? {
                tell_row(&change, text)?;
            }
        }
    }
    Ok(())
}

fn tell_row(change: &RowChange<RowImage<'_>>, text: &mut String) -> Result<()> {
    for (label, image) in [("-", &change.before), ("+", &change.after)] {
        let Some(image) = image else { continue };
        let mut values = Vec::new();
        image.visit(|_, value| {
            values.push(show(value));
            Ok(())
        })?;
        writeln!(text, "    {label} {}", values.join(" | ")).unwrap();
    }
    Ok(())
}

fn show(value: Value<'_>) -> String {
    match value {
        Value::Date(v) => v.to_string(),
        Value::DateTime(v) | Value::Timestamp(v) => v.to_string(),
        Value::Time(v) => v.to_string(),
        Value::Decimal(v) => v.to_string(),
        other => format!("{other:?}"),
    }
}
