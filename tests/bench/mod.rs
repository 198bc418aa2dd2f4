//! Measurements of whole processes, run by `make bench` only.

mod road;
