//! Recorded logs, whole and damaged.

mod fuzz;
mod golden;
mod replay;
mod resume;
