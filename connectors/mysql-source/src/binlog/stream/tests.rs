//! Against a real server, where `.stack/env` names one; else nothing is tested here.

mod accounts;
mod lab;
mod partial_json;
mod road;
mod types;
mod xa;
