//! Sessions at the destination: how they are opened, what their settings are,
//! how statements are sent, and who may send them.
//!
//! A session is one connection that is never replaced behind the caller's back:
//! when it breaks, the sink is opened anew and reads its ledger. Every wait has
//! a bound, since a server that has gone silent must not look like a slow one.

mod check;
mod connect;
mod grants;
mod leader;
mod line;
mod refusal;
mod statement;

pub use check::check;
pub(crate) use connect::{Purpose, Session, Version};
pub use leader::SILENCE_MAX;
pub(crate) use leader::{Leader, holder, lock_name};
pub(crate) use refusal::{Refusal, Stumble};
pub(crate) use statement::Outcome;

#[cfg(test)]
mod tests;
