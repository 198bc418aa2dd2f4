//! The tests that need the stack, and those of the tree, in one binary.
//!
//! `make test` brings up the stack and runs them all, in parallel: each has its
//! own databases, topics and settings (see `kit`).

#[cfg(test)]
mod kit;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod e2e;
#[cfg(test)]
mod values;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod model;
#[cfg(test)]
mod extremes;
