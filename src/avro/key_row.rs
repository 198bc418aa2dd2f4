//! A key as a row: all that a tombstone tells of the row that is gone.

use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::{Error, Kind, Result};
use serde_json::Value as Json;

use super::datum::{Input, malformed};
use super::event::{AvroRow, unframed};
use super::form::{ColumnPlan, Nulls};
use super::infer;
use super::plan::{Plan, key_columns, parse_json};
use super::shape::{ShapeId, Shapes, fields, inner_namespace};

/// `null` as the first branch of a union.
const NULL: &[u8] = &[0];

/// How the keys of one schema are read as rows of a table, in which all other columns are NULL.
#[derive(Debug)]
pub struct KeyPlan {
    rows: Arc<Plan>,
    /// The columns of the key, in its order.
    parts: Vec<(usize, ShapeId)>,
    shapes: Shapes,
}

impl KeyPlan {
    /// Makes the plan of a key schema, for a table whose values are read by `values`.
    ///
    /// # Errors
    /// [`Kind::Decode`] if it is no key of that table; [`Kind::RowMismatch`] if it does not tell which row is
    /// meant (`message.key.columns`).
    pub fn parse(key_schema: &str, values: &Plan) -> Result<Self> {
        let table = values.table();
        let json = parse_json(key_schema)?;
        let mut shapes = Shapes::default();
        shapes.add(&json, "")?;
        let space = inner_namespace(&json, "");
        let nullable = |column: &ColumnPlan| ColumnPlan { nulls: Nulls::First, ..column.clone() };
        let mut columns: Vec<ColumnPlan> = values.columns.iter().map(nullable).collect();
        let mut parts = Vec::new();
        for (field, at) in fields(&json)?.iter().zip(key_columns(&json, &values.fields)?) {
            columns[at] = infer::column(field, table.columns.get(at))?.1;
            parts.push((at, shapes.add(field.get("type").unwrap_or(&Json::Null), &space)?));
        }
        let is_part = |column: &usize| parts.iter().any(|(at, _)| at == column);
        if !table.identity().is_some_and(|identity| identity.iter().all(is_part)) {
            return Err(Error::new(
                Kind::RowMismatch,
                format!("a tombstone of {} does not tell which row is gone", table.name),
            )
            .detail("the key of its records lacks columns of the table's key (message.key.columns)"));
        }
        Ok(Self { rows: Arc::new(values.with_columns(columns)), parts, shapes })
    }

    /// The plan of the rows that it makes.
    pub fn rows(&self) -> &Plan {
        &self.rows
    }

    /// Reads a record's key, frame included: the row, and what tells it from others, as [`Plan::event_key`] has it.
    ///
    /// # Errors
    /// [`Kind::Decode`] if it was not written with this schema.
    pub fn row(&self, key: &Bytes) -> Result<(AvroRow, Bytes)> {
        let datum = unframed(key)?;
        let mut input = Input::new(datum);
        let mut columns = vec![NULL; self.rows.columns.len()];
        for (column, shape) in &self.parts {
            let from = datum.len() - input.left();
            self.shapes.skip(*shape, &mut input)?;
            columns[*column] = &datum[from..datum.len() - input.left()];
        }
        if input.left() > 0 {
            return Err(malformed(format!("{} bytes follow the key", input.left())));
        }
        let told = self.rows.table().event_key().unwrap_or_default();
        let told: Vec<&[u8]> = told.iter().filter_map(|column| columns.get(*column).copied()).collect();
        Ok((AvroRow::new(columns.concat().into(), Arc::clone(&self.rows)), told.concat().into()))
    }
}

#[cfg(test)]
mod tests;
