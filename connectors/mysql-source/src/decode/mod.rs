//! From the bytes of a row image to values.
//!
//! A table's columns become [`Layout`]s once, when its shape is first seen; a row is
//! then read by one pass over its bytes. Values borrow from the image. What needs a
//! conversion (a character set other than UTF-8, JSON, padding) goes through one
//! reused buffer, so that a row costs no allocation.
//!
//! Nothing here looks at the catalogue: the log's own metadata alone decides how
//! bytes are read, so that an event is read right however old it is.

mod charset;
mod column;
mod decimal;
mod image;
mod json;
mod temporal;

pub(crate) use charset::Charset;
pub(crate) use column::{Codec, Extent, Layout};
pub(crate) use decimal::size as decimal_size;
pub use image::RowImage;
pub(crate) use image::{skip_full_image, skip_image};
pub(crate) use json::patched;
pub(crate) use temporal::fraction_len;
