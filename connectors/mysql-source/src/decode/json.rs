//! JSON as MySQL stores it (`sql-common/json_binary.h`) to the text that the server
//! prints for it, with the marks of [`cdc_sdk::json`] where they are wanted.

mod container;
mod double;
mod patch;
mod path;
mod print;
mod scalar;

pub(crate) use patch::patched;
pub(crate) use print::print;

#[cfg(test)]
mod tests;
