//! How the messages of one writer schema are read.
//!
//! A plan is made once for each schema id. Reading a message with it finds where
//! `before` and `after` lie and nothing more; a row is walked when it is visited.

use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::{Error, Kind, Op, Result, Table, TableName};
use cdc_sdk::{Key, KeyKind, KeyPart};
use serde_json::Value as Json;

use super::datum::{Input, malformed};
use super::event::{AvroRow, Decoded, unframed};
use super::form::ColumnPlan;
use super::guess;
use super::infer;
use super::schema::TABLE_PROPERTY;
use super::shape::{ShapeId, Shapes, fields, inner_namespace, refused};

/// How to read the messages of one writer schema.
#[derive(Debug)]
pub struct Plan {
    table: Arc<Table>,
    carries_table: bool,
    /// What the schema is named after: the topic, in letters that Avro takes.
    space: String,
    /// The fields of a row, as the schema calls them.
    pub(super) fields: Vec<String>,
    pub(super) columns: Vec<ColumnPlan>,
    /// The record `Value`.
    row: ShapeId,
    envelope: Vec<(Part, ShapeId)>,
    source: Vec<(SourcePart, ShapeId)>,
    shapes: Shapes,
}

/// What a field of the envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Before,
    After,
    Source,
    Op,
    Other,
}

/// What a field of `source` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SourcePart {
    Millis,
    Micros,
    Name,
    Gtid,
    File,
    Pos,
    Database,
    Table,
    Other,
}

/// Whose an event is, as its `source` says. Empty is what it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whose<'e> {
    /// The source's name: its topic prefix.
    pub source: &'e str,
    /// The table's database, as MySQL spells it.
    pub database: &'e str,
    /// The table.
    pub table: &'e str,
}

impl Whose<'_> {
    /// Whether it is of this table.
    pub fn is_of(&self, name: &TableName) -> bool {
        self.table == name.table && self.database == name.database
    }

    /// The table's name.
    pub fn name(&self) -> TableName {
        TableName::new(self.database, self.table)
    }
}

/// Where an event stood in the source's log, as its envelope says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcePlace {
    /// The GTID of its transaction.
    pub gtid: Option<String>,
    /// The binlog file.
    pub file: String,
    /// The event's place in it.
    pub pos: i64,
    /// The table's database, as MySQL spells it.
    pub database: String,
    /// The table.
    pub table: String,
}

impl Plan {
    /// Makes the plan of a value schema: of ours, which carries the table, or of
    /// Debezium's. The table's keys are unknown for the latter.
    ///
    /// # Errors
    /// [`Kind::Decode`] if it is no envelope, [`Kind::UnknownVersion`] for a table of a newer
    /// version, [`Kind::TypeUnsupported`] for a column that cannot be read.
    pub fn parse(value_schema: &str) -> Result<Self> {
        Self::parse_with_key(value_schema, None)
    }

    /// As [`Plan::parse`]; the columns of a key schema become the primary key where
    /// the value schema does not carry the table.
    ///
    /// # Errors
    /// As [`Plan::parse`].
    pub fn parse_with_key(value_schema: &str, key_schema: Option<&str>) -> Result<Self> {
        let json = parse_json(value_schema)?;
        let mut shapes = Shapes::default();
        shapes.add(&json, "")?;
        let mut plan = Self::from_envelope(&json, shapes)?;
        if let (Some(key), false) = (key_schema, plan.carries_table) {
            plan.set_key(&parse_json(key)?)?;
        }
        Ok(plan)
    }

    /// The table whose rows these are.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Whether the schema carried the table (ours), or it was guessed (Debezium's).
    pub fn carries_table(&self) -> bool {
        self.carries_table
    }

    /// What the schema is named after: a topic, as [`namespace`](super::namespace) has it.
    pub fn namespace(&self) -> &str {
        &self.space
    }

    /// The same, of a table that is called otherwise: letters that Avro forbids are gone from the name
    /// in a schema that does not carry its table, but not from its events.
    #[must_use]
    pub fn named(mut self, name: TableName) -> Self {
        Arc::make_mut(&mut self.table).name = name;
        self
    }

    /// The same for rows whose columns lie otherwise, and which come by themselves.
    pub(super) fn with_columns(&self, columns: Vec<ColumnPlan>) -> Self {
        Self {
            table: Arc::clone(&self.table),
            carries_table: self.carries_table,
            space: self.space.clone(),
            fields: self.fields.clone(),
            columns,
            row: self.row,
            envelope: Vec::new(),
            source: Vec::new(),
            shapes: Shapes::default(),
        }
    }

    fn from_envelope(json: &Json, mut shapes: Shapes) -> Result<Self> {
        let space = inner_namespace(json, "");
        let mut envelope = Vec::new();
        let (mut row, mut source) = (None, Vec::new());
        for field in fields(json)? {
            let ty = field.get("type").unwrap_or(&Json::Null);
            let part = part(field.get("name").and_then(Json::as_str).unwrap_or_default());
            let record = record_of(ty);
            if let (Part::Before, Some(record)) = (part, record) {
                row = Some((record, shapes.add(record, &space)?));
            }
            if let (Part::Source, Some(record)) = (part, record) {
                source = source_parts(record, &space, &mut shapes)?;
            }
            envelope.push((part, shapes.add(ty, &space)?));
        }
        let (record, row) = row.ok_or_else(|| refused("the envelope has no field 'before' with a record"))?;
        let complete = [Part::After, Part::Source, Part::Op];
        if !complete.iter().all(|part| envelope.iter().any(|(p, _)| p == part)) || source.is_empty() {
            return Err(refused("the envelope lacks one of 'after', 'source', 'op'"));
        }
        let (table, columns, carries_table) = columns_of(record, json)?;
        let space = named_after(json).to_owned();
        let names = fields(record)?.iter().map(|field| field.get("name").and_then(Json::as_str));
        let fields = names.map(|name| name.unwrap_or_default().to_owned()).collect();
        Ok(Self {
            table: Arc::new(table),
            carries_table,
            space,
            fields,
            columns,
            row,
            envelope,
            source,
            shapes,
        })
    }

    fn set_key(&mut self, key: &Json) -> Result<()> {
        let columns = key_columns(key, &self.fields)?;
        guess::narrow(&mut Arc::make_mut(&mut self.table).columns, &columns);
        let part =
            |column| KeyPart { on: cdc_sdk::table::KeyOn::Column(column), prefix: None, descending: false };
        let parts = columns.into_iter().map(part).collect();
        let table = Arc::make_mut(&mut self.table);
        table.keys = vec![Key::new(KeyKind::Primary, "PRIMARY", parts)];
        Ok(())
    }

    /// Reads a message's value, frame included. Tombstones have none and never come here.
    ///
    /// # Errors
    /// [`Kind::Decode`] if it was not written with this schema.
    pub fn decode(self: &Arc<Self>, value: &Bytes) -> Result<Decoded> {
        self.decode_with_source(value).map(|(decoded, _)| decoded)
    }

    /// As [`Plan::decode`]; whose the event is beside it, where the schema does not carry the table.
    ///
    /// # Errors
    /// As [`Plan::decode`].
    pub fn decode_with_source<'v>(self: &Arc<Self>, value: &'v Bytes) -> Result<(Decoded, Whose<'v>)> {
        self.decode_parts(value).map_err(|e| e.at(format!("an event of {}", self.table.name)))
    }

    fn decode_parts<'v>(self: &Arc<Self>, value: &'v Bytes) -> Result<(Decoded, Whose<'v>)> {
        let mut input = Input::new(unframed(value)?);
        let (mut op, mut rows) = (None, [None, None]);
        let (mut source_ts_us, mut whose) = (0, Whose::default());
        for (part, shape) in &self.envelope {
            match part {
                Part::Before => rows[0] = self.row(*shape, value, &mut input)?,
                Part::After => rows[1] = self.row(*shape, value, &mut input)?,
                Part::Source => (source_ts_us, whose) = self.source(&mut input)?,
                Part::Op => op = self.shapes.read_text(*shape, &mut input)?,
                Part::Other => self.shapes.skip(*shape, &mut input)?,
            }
        }
        if input.left() > 0 {
            return Err(malformed(format!("{} bytes follow the value", input.left())));
        }
        let letter = op.unwrap_or_default();
        let op = Op::from_letter(letter).ok_or_else(|| malformed(format!("'{letter}' is no op")))?;
        let [before, after] = rows;
        let decoded = Decoded { op, before, after, source_ts_us };
        if decoded.is_whole() {
            Ok((decoded, whose))
        } else {
            Err(malformed(format!("op '{letter}' without its row")))
        }
    }

    /// What tells the event's row from others, where the records' key was chosen: the bytes of those columns as they lie
    /// in the row, so that they are what the datum of a key of these columns would be. `None` for tables without identity.
    ///
    /// # Errors
    /// As [`Plan::decode`].
    pub fn event_key(&self, decoded: &Decoded) -> Result<Option<Bytes>> {
        let row = decoded.after.as_ref().or(decoded.before.as_ref());
        let Some((columns, row)) = self.table.event_key().zip(row) else { return Ok(None) };
        let places = self.shapes.places(self.row, row.bytes())?;
        let mut key = Vec::new();
        for place in columns.iter().filter_map(|column| places.get(*column)) {
            key.extend_from_slice(row.bytes().get(place.clone()).unwrap_or_default());
        }
        Ok(Some(key.into()))
    }

    /// Where an event stood in the source's log: for the few that somebody looks at.
    ///
    /// # Errors
    /// As [`Plan::decode`].
    pub fn source_place(&self, value: &Bytes) -> Result<SourcePlace> {
        let mut input = Input::new(unframed(value)?);
        let mut place = SourcePlace::default();
        for (part, shape) in &self.envelope {
            if *part != Part::Source {
                self.shapes.skip(*shape, &mut input)?;
                continue;
            }
            for (part, shape) in &self.source {
                let mut text =
                    || Ok::<_, Error>(self.shapes.read_text(*shape, &mut input)?.map(str::to_owned));
                match part {
                    SourcePart::Gtid => place.gtid = text()?,
                    SourcePart::File => place.file = text()?.unwrap_or_default(),
                    SourcePart::Database => place.database = text()?.unwrap_or_default(),
                    SourcePart::Table => place.table = text()?.unwrap_or_default(),
                    SourcePart::Pos => {
                        place.pos = self.shapes.read_long(*shape, &mut input)?.unwrap_or_default();
                    }
                    SourcePart::Millis | SourcePart::Micros | SourcePart::Name | SourcePart::Other => {
                        self.shapes.skip(*shape, &mut input)?;
                    }
                }
            }
            break;
        }
        Ok(place)
    }

    fn row(
        self: &Arc<Self>,
        shape: ShapeId,
        value: &Bytes,
        input: &mut Input<'_>,
    ) -> Result<Option<AvroRow>> {
        if !self.shapes.is_there(shape, input)? {
            return Ok(None);
        }
        let from = value.len() - input.left();
        self.shapes.skip(self.row, input)?;
        let to = value.len() - input.left();
        Ok(Some(AvroRow::new(value.slice(from..to), Arc::clone(self))))
    }

    /// When it was committed, and whose it is where the schema does not say that.
    fn source<'v>(&self, input: &mut Input<'v>) -> Result<(i64, Whose<'v>)> {
        let (mut millis, mut micros) = (None, None);
        let mut whose = Whose::default();
        for (part, shape) in &self.source {
            match part {
                SourcePart::Millis => millis = self.shapes.read_long(*shape, input)?,
                SourcePart::Micros => micros = self.shapes.read_long(*shape, input)?,
                SourcePart::Name | SourcePart::Database | SourcePart::Table if !self.carries_table => {
                    let text = self.shapes.read_text(*shape, input)?.unwrap_or_default();
                    match part {
                        SourcePart::Name => whose.source = text,
                        SourcePart::Database => whose.database = text,
                        _ => whose.table = text,
                    }
                }
                SourcePart::Name
                | SourcePart::Gtid
                | SourcePart::File
                | SourcePart::Pos
                | SourcePart::Database
                | SourcePart::Table
                | SourcePart::Other => self.shapes.skip(*shape, input)?,
            }
        }
        let micros = micros.or_else(|| millis.map(|ms| ms.saturating_mul(1000)));
        Ok((micros.unwrap_or(0), whose))
    }
}

pub(super) fn parse_json(schema: &str) -> Result<Json> {
    serde_json::from_str(schema).map_err(|e| refused("a schema is not JSON").caused_by(e))
}

fn part(name: &str) -> Part {
    match name {
        "before" => Part::Before,
        "after" => Part::After,
        "source" => Part::Source,
        "op" => Part::Op,
        _ => Part::Other,
    }
}

/// The record in a field's type: the type itself, or the branch that is one.
fn record_of(ty: &Json) -> Option<&Json> {
    let is_record = |json: &&Json| json.get("type").and_then(Json::as_str) == Some("record");
    match ty {
        Json::Array(branches) => branches.iter().find(is_record),
        other => Some(other).filter(is_record),
    }
}

fn source_parts(record: &Json, space: &str, shapes: &mut Shapes) -> Result<Vec<(SourcePart, ShapeId)>> {
    let space = inner_namespace(record, space);
    let part = |field: &Json| {
        let part = match field.get("name").and_then(Json::as_str).unwrap_or_default() {
            "ts_ms" => SourcePart::Millis,
            "ts_us" => SourcePart::Micros,
            "name" => SourcePart::Name,
            "gtid" => SourcePart::Gtid,
            "file" => SourcePart::File,
            "pos" => SourcePart::Pos,
            "db" => SourcePart::Database,
            "table" => SourcePart::Table,
            _ => SourcePart::Other,
        };
        Ok((part, shapes.add(field.get("type").unwrap_or(&Json::Null), &space)?))
    };
    fields(record)?.iter().map(part).collect()
}

/// The table, how its columns are read, and whether the schema carried it.
fn columns_of(record: &Json, envelope: &Json) -> Result<(Table, Vec<ColumnPlan>, bool)> {
    let row = fields(record)?;
    let Some(carried) = record.get(TABLE_PROPERTY) else {
        let columns = row.iter().map(|field| infer::column(field, None)).collect::<Result<Vec<_>>>()?;
        let (columns, plans) = columns.into_iter().unzip();
        return Ok((guessed_table(envelope, columns), plans, false));
    };
    let table = carried_table(carried)?;
    let names = super::name::fields(&table.columns);
    let fit =
        row.iter().map(|f| f.get("name").and_then(Json::as_str)).eq(names.iter().map(|n| Some(n.as_str())));
    if !fit {
        return Err(refused(format!("the columns of table {} are not the fields of its schema", table.name)));
    }
    let plan = |(field, column)| infer::column(field, Some(column)).map(|(_, plan)| plan);
    let plans = row.iter().zip(&table.columns).map(plan).collect::<Result<_>>();
    let plans = plans.map_err(|e| e.at(format!("table {}", table.name)))?;
    Ok((table, plans, true))
}

/// Which columns the fields of a key are, by the names that the value's fields have.
pub(super) fn key_columns(key: &Json, names: &[String]) -> Result<Vec<usize>> {
    let index = |field: &Json| {
        let name = field.get("name").and_then(Json::as_str).unwrap_or_default();
        names.iter().position(|field| field == name).ok_or_else(|| no_column(name))
    };
    fields(key)?.iter().map(index).collect()
}

fn no_column(name: &str) -> Error {
    Error::new(Kind::Decode, format!("the key's field '{name}' is no column")).hint(
        "a router that lets tables share a topic adds such a field (key.enforce.uniqueness): let Debezium write each \
         table to a topic of its own",
    )
}

fn carried_table(json: &Json) -> Result<Table> {
    let version = json.get("version").and_then(Json::as_u64).and_then(|version| u32::try_from(version).ok());
    if !matches!(version, Some(Table::VERSION | Table::VERSION_CHOSEN_KEY)) {
        let what = format!("a schema carries its table in version {version:?}");
        return Err(Error::new(Kind::UnknownVersion, what)
            .detail(format!("this program reads versions up to {}", Table::VERSION_CHOSEN_KEY))
            .hint("run the version of cdc that wrote it, or a newer one"));
    }
    let unread = || refused("the table that a schema carries cannot be read");
    let table: Table = serde_json::from_value(json.clone()).map_err(|e| unread().caused_by(e))?;
    let chosen = table.chosen_key.as_deref();
    let is_there = chosen.is_none_or(|key| !key.is_empty() && key.iter().all(|c| *c < table.columns.len()));
    if is_there && chosen.is_some() == (version == Some(Table::VERSION_CHOSEN_KEY)) {
        Ok(table)
    } else {
        Err(unread().detail("its version and the key of its records contradict each other"))
    }
}

/// What an envelope is named after: the topic.
fn named_after(envelope: &Json) -> &str {
    let text = |property: &str| envelope.get(property).and_then(Json::as_str).unwrap_or_default();
    text("connect.name").strip_suffix(".Envelope").unwrap_or_else(|| text("namespace"))
}

/// Debezium's envelope is called `<prefix>.<database>.<table>.Envelope`; what stands
/// last before that is the table. Letters that Avro forbids are gone from it.
fn guessed_table(envelope: &Json, columns: Vec<cdc_sdk::Column>) -> Table {
    let name = named_after(envelope);
    let (rest, table) = name.rsplit_once('.').unwrap_or(("", name));
    let database = rest.rsplit_once('.').map_or(rest, |(_, database)| database);
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new(database, table),
        columns,
        keys: Vec::new(),
        collation: None,
        comment: String::new(),
    }
}

#[cfg(test)]
mod tests;
