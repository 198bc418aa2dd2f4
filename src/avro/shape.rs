//! The shape of any Avro schema, to pass over what is not needed: fields of other
//! versions of Debezium, or of other connectors.

use std::collections::HashMap;
use std::ops::Range;

use cdc_sdk::{Error, Kind, Result};
use serde_json::Value as Json;

use super::datum::{Input, malformed};

/// How deep values may be nested. Debezium's are five deep.
const DEPTH_MAX: usize = 64;

/// Which shape, in [`Shapes`].
pub(super) type ShapeId = usize;

/// All types of a schema. Named types may refer to each other, so they are held
/// by number.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    all: Vec<Shape>,
    named: HashMap<String, ShapeId>,
}

#[derive(Clone, Debug)]
enum Shape {
    Null,
    Boolean,
    Number,
    Float,
    Double,
    Blob,
    Fixed(usize),
    Array(ShapeId),
    Map(ShapeId),
    Union(Vec<ShapeId>),
    Record(Vec<ShapeId>),
}

impl Shapes {
    /// Adds a type. `namespace` is that of the type around it.
    pub(super) fn add(&mut self, json: &Json, namespace: &str) -> Result<ShapeId> {
        match json {
            Json::String(name) => match primitive(name) {
                Some(shape) => Ok(self.push(shape)),
                None => self.find(name, namespace),
            },
            Json::Array(branches) => {
                let branches = branches.iter().map(|b| self.add(b, namespace)).collect::<Result<_>>()?;
                Ok(self.push(Shape::Union(branches)))
            }
            Json::Object(_) => self.add_object(json, namespace),
            other => Err(refused(format!("{other} is no type"))),
        }
    }

    fn add_object(&mut self, json: &Json, namespace: &str) -> Result<ShapeId> {
        let ty = json.get("type").unwrap_or(&Json::Null);
        let Some(name) = ty.as_str() else { return self.add(ty, namespace) };
        match name {
            "array" => {
                let items = self.add(json.get("items").unwrap_or(&Json::Null), namespace)?;
                Ok(self.push(Shape::Array(items)))
            }
            "map" => {
                let values = self.add(json.get("values").unwrap_or(&Json::Null), namespace)?;
                Ok(self.push(Shape::Map(values)))
            }
            "enum" => Ok(self.name(json, namespace, Shape::Number)),
            "fixed" => {
                let size = json.get("size").and_then(Json::as_u64).and_then(|s| usize::try_from(s).ok());
                let size = size.ok_or_else(|| refused("a fixed type without a size"))?;
                Ok(self.name(json, namespace, Shape::Fixed(size)))
            }
            "record" | "error" => self.add_record(json, namespace),
            _ => self.add(ty, namespace),
        }
    }

    fn add_record(&mut self, json: &Json, namespace: &str) -> Result<ShapeId> {
        let id = self.name(json, namespace, Shape::Null);
        let inner = inner_namespace(json, namespace);
        let fields = fields(json)?;
        let fields = fields
            .iter()
            .map(|f| self.add(f.get("type").unwrap_or(&Json::Null), &inner))
            .collect::<Result<_>>()?;
        if let Some(shape) = self.all.get_mut(id) {
            *shape = Shape::Record(fields);
        }
        Ok(id)
    }

    fn push(&mut self, shape: Shape) -> ShapeId {
        self.all.push(shape);
        self.all.len() - 1
    }

    fn name(&mut self, json: &Json, namespace: &str, shape: Shape) -> ShapeId {
        let id = self.push(shape);
        self.named.insert(full_name(json, namespace), id);
        id
    }

    fn find(&self, name: &str, namespace: &str) -> Result<ShapeId> {
        let found = self.named.get(name).or_else(|| self.named.get(&format!("{namespace}.{name}")));
        found.copied().ok_or_else(|| refused(format!("the type '{name}' is not defined")))
    }

    /// Passes over a value.
    pub(super) fn skip(&self, id: ShapeId, input: &mut Input<'_>) -> Result<()> {
        self.skip_within(id, input, DEPTH_MAX)
    }

    fn skip_within(&self, id: ShapeId, input: &mut Input<'_>, depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| malformed("a value is nested too deep"))?;
        match self.all.get(id) {
            None | Some(Shape::Null) => Ok(()),
            Some(Shape::Boolean) => input.boolean().map(drop),
            Some(Shape::Number) => input.long().map(drop),
            Some(Shape::Float) => input.float().map(drop),
            Some(Shape::Double) => input.double().map(drop),
            Some(Shape::Blob) => input.bytes().map(drop),
            Some(Shape::Fixed(size)) => input.take(*size).map(drop),
            Some(Shape::Array(items)) => self.skip_items(*items, false, input, depth),
            Some(Shape::Map(values)) => self.skip_items(*values, true, input, depth),
            Some(Shape::Union(branches)) => {
                let branch = branches.get(input.length()?);
                let branch = branch.ok_or_else(|| malformed("a union has no such branch"))?;
                self.skip_within(*branch, input, depth)
            }
            Some(Shape::Record(fields)) => {
                fields.iter().try_for_each(|field| self.skip_within(*field, input, depth))
            }
        }
    }

    /// Items that take no bytes would let a few bytes ask for endless work, so a
    /// block of them is refused.
    fn skip_items(&self, items: ShapeId, keyed: bool, input: &mut Input<'_>, depth: usize) -> Result<()> {
        loop {
            let count = input.block()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                let before = input.left();
                if keyed {
                    input.bytes()?;
                }
                self.skip_within(items, input, depth)?;
                if input.left() == before {
                    return Err(malformed("an array of items without bytes"));
                }
            }
        }
    }

    /// Where the fields of a record lie in its bytes, to each from the next.
    pub(super) fn places(&self, record: ShapeId, bytes: &[u8]) -> Result<Vec<Range<usize>>> {
        let Some(Shape::Record(fields)) = self.all.get(record) else {
            return Err(refused("a row is no record"));
        };
        let mut input = Input::new(bytes);
        let place = |field: &ShapeId| {
            let from = bytes.len() - input.left();
            self.skip(*field, &mut input)?;
            Ok(from..bytes.len() - input.left())
        };
        fields.iter().map(place).collect()
    }

    /// Reads a number, or a union of one and null.
    pub(super) fn read_long(&self, id: ShapeId, input: &mut Input<'_>) -> Result<Option<i64>> {
        match self.all.get(self.branch(id, input)?) {
            Some(Shape::Null) => Ok(None),
            Some(Shape::Number) => input.long().map(Some),
            _ => Err(refused("a field of 'source' is no number")),
        }
    }

    /// Reads a text, or a union of one and null.
    pub(super) fn read_text<'a>(&self, id: ShapeId, input: &mut Input<'a>) -> Result<Option<&'a str>> {
        match self.all.get(self.branch(id, input)?) {
            Some(Shape::Null) => Ok(None),
            Some(Shape::Blob) => input.text().map(Some),
            _ => Err(refused("a field of the envelope is no text")),
        }
    }

    /// The shape itself, or that of the branch which the input says.
    fn branch(&self, id: ShapeId, input: &mut Input<'_>) -> Result<ShapeId> {
        match self.all.get(id) {
            Some(Shape::Union(branches)) => {
                let branch = branches.get(input.length()?);
                branch.copied().ok_or_else(|| malformed("a union has no such branch"))
            }
            _ => Ok(id),
        }
    }

    /// Reads the branch of a union; true if it is not null. A type that is no union
    /// is always there.
    pub(super) fn is_there(&self, id: ShapeId, input: &mut Input<'_>) -> Result<bool> {
        let branch = self.branch(id, input)?;
        Ok(!matches!(self.all.get(branch), Some(Shape::Null)))
    }
}

fn primitive(name: &str) -> Option<Shape> {
    Some(match name {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "int" | "long" => Shape::Number,
        "float" => Shape::Float,
        "double" => Shape::Double,
        "bytes" | "string" => Shape::Blob,
        _ => return None,
    })
}

/// The fields of a record.
pub(super) fn fields(record: &Json) -> Result<&Vec<Json>> {
    record.get("fields").and_then(Json::as_array).ok_or_else(|| refused("a record without fields"))
}

/// The namespace that types inside a record or enum have.
pub(super) fn inner_namespace(json: &Json, namespace: &str) -> String {
    full_name(json, namespace).rsplit_once('.').map_or(String::new(), |(space, _)| space.to_owned())
}

fn full_name(json: &Json, namespace: &str) -> String {
    let text = |property: &str| json.get(property).and_then(Json::as_str);
    let name = text("name").unwrap_or_default();
    let namespace = text("namespace").unwrap_or(namespace);
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

/// A schema that cannot be used.
pub(super) fn refused(why: impl Into<String>) -> Error {
    Error::new(Kind::Decode, why).hint("the value's schema is not one of Debezium's envelopes")
}
