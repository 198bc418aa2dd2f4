//! Whether a datum is all there: what is walked over before it is handed to `apache_avro`, which makes
//! room for as much as a length says (up to 512 MiB), be it damaged or not.

use apache_avro::Schema;
use apache_avro::schema::{NamesRef, ResolvedSchema};
use cdc_sdk::Result;

use crate::avro::datum::{Input, malformed};

/// Walks over one datum of the schema.
pub(super) fn pass(schema: &Schema, input: &mut Input<'_>) -> Result<()> {
    let named = ResolvedSchema::new(schema)
        .map_err(|e| malformed("a schema of ours has an unknown name").caused_by(e))?;
    step(schema, named.get_names(), input)
}

fn step(schema: &Schema, named: &NamesRef<'_>, input: &mut Input<'_>) -> Result<()> {
    match schema {
        Schema::Null => Ok(()),
        Schema::Boolean => input.boolean().map(drop),
        Schema::Int | Schema::Long | Schema::Enum(_) => input.long().map(drop),
        Schema::Bytes | Schema::String => input.bytes().map(drop),
        Schema::Record(record) => {
            record.fields.iter().try_for_each(|field| step(&field.schema, named, input))
        }
        Schema::Union(union) => {
            let variant = input.length()?;
            let variant = union.variants().get(variant);
            step(variant.ok_or_else(|| malformed("a union has no such variant"))?, named, input)
        }
        Schema::Array(array) => loop {
            let items = input.block()?;
            if items == 0 {
                return Ok(());
            }
            // Each item of ours has a byte at least.
            if items > input.left() as u64 {
                return Err(malformed("an array has more items than bytes"));
            }
            for _ in 0..items {
                step(&array.items, named, input)?;
            }
        },
        Schema::Ref { name } => {
            let schema = named.get(name).ok_or_else(|| malformed("a schema of ours has an unknown name"))?;
            step(schema, named, input)
        }
        _ => Err(malformed("a record of ours has a type that is not known here")),
    }
}
