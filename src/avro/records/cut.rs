//! Cuts, as they lie in `prefix.cuts`.
//!
//! A cut carries either the whole GTID set or what was added since the cut before
//! it: the set grows with every server there ever was, and cuts are written ten
//! times a second.

use cdc_sdk::cut::{CutKind, Place, Touched};
use cdc_sdk::position::{Landmark, Partial, Position};
use cdc_sdk::{Cut, CutId, Error, GtidSet, Kind, Result};
use serde::{Deserialize, Serialize};

use super::{CUT_SCHEMA, CUT_SCHEMA_1, Form};

static FORM: Form = Form::new(CUT_SCHEMA, "cut", 2);
/// As cuts were written before they had landmarks.
static FORM_1: Form = Form::new(CUT_SCHEMA_1, "cut", 1);

const SECOND_US: i64 = 1_000_000;

/// Which GTIDs a cut is to carry.
#[derive(Clone, Copy, Debug)]
pub enum GtidsOf<'a> {
    /// All that are through: `cut.position.gtids`.
    Full,
    /// Those that came since the cut before it.
    Delta(&'a GtidSet),
}

/// A cut as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCut {
    /// The cut. Its position has the full GTID set, or `None` where only the delta was stored.
    pub cut: Cut,
    /// What came since the cut before it, where the full set was not stored.
    pub gtid_delta: Option<GtidSet>,
}

/// Writes a cut, framed with the id of [`CUT_SCHEMA`].
///
/// # Errors
/// [`Kind::Bug`]: a number is over the range that is stored.
pub fn encode_cut(cut: &Cut, gtids: GtidsOf<'_>, id: u32) -> Result<Vec<u8>> {
    FORM.encode(Record::new(cut, gtids), id)
}

/// Reads a cut.
///
/// # Errors
/// [`Kind::UnknownVersion`], [`Kind::Decode`] for damage, [`Kind::BadPosition`] for a
/// GTID set that is none.
pub fn decode_cut(message: &[u8]) -> Result<StoredCut> {
    let form = if FORM_1.is_of(message) { &FORM_1 } else { &FORM };
    form.decode::<Record>(message)?.into_cut()
}

/// The schema's fields in order. Unsigned numbers keep their 64 bits.
#[derive(Serialize, Deserialize)]
struct Record {
    version: i32,
    incarnation: i64,
    sequence: i64,
    kind: String,
    alone: bool,
    snapshot_complete: bool,
    server_uuid: String,
    gtid_set: Option<String>,
    gtid_delta: Option<String>,
    file: String,
    pos: i64,
    partial: Option<PartialRecord>,
    committed_us: i64,
    written_us: i64,
    transactions: i64,
    touched: Vec<TouchedRecord>,
    previous_ends: Vec<PlaceRecord>,
    map_slice: Vec<PlaceRecord>,
    #[serde(default)]
    landmark: Option<LandmarkRecord>,
}

/// A transaction where it has a GTID, else the position's file.
#[derive(Serialize, Deserialize)]
struct LandmarkRecord {
    gtid: Option<String>,
    at_us: i64,
}

#[derive(Serialize, Deserialize)]
struct PartialRecord {
    rows: i64,
    hash: i64,
}

#[derive(Serialize, Deserialize)]
struct TouchedRecord {
    topic: String,
    partition: i32,
    events: i64,
    bytes: i64,
}

#[derive(Serialize, Deserialize)]
struct PlaceRecord {
    topic: String,
    partition: i32,
    offset: i64,
}

impl Record {
    fn new(cut: &Cut, gtids: GtidsOf<'_>) -> Self {
        let position = &cut.position;
        let (full, delta) = match gtids {
            GtidsOf::Full => (position.gtids.as_ref(), None),
            GtidsOf::Delta(delta) => (None, Some(delta)),
        };
        let partial = position
            .partial
            .map(|p| PartialRecord { rows: p.rows.cast_signed(), hash: p.hash.cast_signed() });
        Self {
            version: FORM.version,
            incarnation: cut.id.incarnation.cast_signed(),
            sequence: cut.id.sequence.cast_signed(),
            kind: kind_text(cut.kind).to_owned(),
            alone: cut.alone,
            snapshot_complete: cut.snapshot_complete,
            server_uuid: position.server_uuid.clone(),
            gtid_set: full.map(ToString::to_string),
            gtid_delta: delta.map(ToString::to_string),
            file: position.file.clone(),
            pos: position.pos.cast_signed(),
            partial,
            committed_us: cut.committed_us,
            written_us: cut.written_us,
            transactions: cut.transactions.cast_signed(),
            touched: cut.touched.iter().map(TouchedRecord::from).collect(),
            previous_ends: cut.previous_ends.iter().map(PlaceRecord::from).collect(),
            map_slice: cut.map_slice.iter().map(PlaceRecord::from).collect(),
            landmark: position.landmark.as_ref().map(LandmarkRecord::from),
        }
    }

    fn into_cut(self) -> Result<StoredCut> {
        let parsed = |set: Option<String>| set.map(|text| text.parse::<GtidSet>()).transpose();
        let position = Position {
            server_uuid: self.server_uuid,
            gtids: parsed(self.gtid_set)?,
            file: self.file,
            pos: self.pos.cast_unsigned(),
            partial: self
                .partial
                .map(|p| Partial { rows: p.rows.cast_unsigned(), hash: p.hash.cast_unsigned() }),
            landmark: self.landmark.map(Landmark::try_from).transpose()?,
        };
        let cut = Cut {
            id: CutId {
                incarnation: self.incarnation.cast_unsigned(),
                sequence: self.sequence.cast_unsigned(),
            },
            kind: parse_kind(&self.kind)?,
            alone: self.alone,
            snapshot_complete: self.snapshot_complete,
            position,
            committed_us: self.committed_us,
            written_us: self.written_us,
            transactions: self.transactions.cast_unsigned(),
            touched: self.touched.into_iter().map(Touched::from).collect(),
            previous_ends: self.previous_ends.into_iter().map(Place::from).collect(),
            map_slice: self.map_slice.into_iter().map(Place::from).collect(),
        };
        Ok(StoredCut { cut, gtid_delta: parsed(self.gtid_delta)? })
    }
}

fn kind_text(kind: CutKind) -> &'static str {
    match kind {
        CutKind::Complete => "complete",
        CutKind::Continues => "continues",
        CutKind::Abandoned => "abandoned",
    }
}

fn parse_kind(text: &str) -> Result<CutKind> {
    let kinds = [CutKind::Complete, CutKind::Continues, CutKind::Abandoned];
    kinds.into_iter().find(|kind| kind_text(*kind) == text).ok_or_else(|| {
        Error::new(Kind::UnknownVersion, format!("a cut of kind '{text}'"))
            .hint("run the version of cdc that wrote it, or a newer one")
    })
}

impl From<&Landmark> for LandmarkRecord {
    fn from(landmark: &Landmark) -> Self {
        match landmark {
            Landmark::Transaction { gtid, committed_us } => {
                Self { gtid: Some(gtid.to_string()), at_us: *committed_us }
            }
            Landmark::File { begun_s } => Self { gtid: None, at_us: i64::from(*begun_s) * SECOND_US },
        }
    }
}

impl TryFrom<LandmarkRecord> for Landmark {
    type Error = Error;

    fn try_from(record: LandmarkRecord) -> Result<Self> {
        match record.gtid {
            Some(gtid) => Ok(Self::Transaction { gtid: gtid.parse()?, committed_us: record.at_us }),
            None => {
                u32::try_from(record.at_us / SECOND_US).map(|begun_s| Self::File { begun_s }).map_err(|_| {
                    Error::new(Kind::BadPosition, format!("{} µs is no time of a binlog file", record.at_us))
                })
            }
        }
    }
}

impl From<&Touched> for TouchedRecord {
    fn from(touched: &Touched) -> Self {
        Self {
            topic: touched.topic.clone(),
            partition: touched.partition,
            events: touched.events.cast_signed(),
            bytes: touched.bytes.cast_signed(),
        }
    }
}

impl From<TouchedRecord> for Touched {
    fn from(record: TouchedRecord) -> Self {
        Self {
            topic: record.topic,
            partition: record.partition,
            events: record.events.cast_unsigned(),
            bytes: record.bytes.cast_unsigned(),
        }
    }
}

impl From<&Place> for PlaceRecord {
    fn from(place: &Place) -> Self {
        Self { topic: place.topic.clone(), partition: place.partition, offset: place.offset }
    }
}

impl From<PlaceRecord> for Place {
    fn from(record: PlaceRecord) -> Self {
        Self { topic: record.topic, partition: record.partition, offset: record.offset }
    }
}
