//! Against a real server, where `.stack/env` names one; else nothing is tested here.

mod lab;
mod road;
mod types;
