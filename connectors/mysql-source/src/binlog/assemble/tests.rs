//! Recorded logs, whole and damaged.

mod golden;
mod replay;
mod resume;
