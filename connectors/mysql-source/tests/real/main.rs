//! The source against a real server, while others write.
//!
//! Needs the servers of the stack: their addresses come from the environment
//! (`CDC_TEST_SOURCE_MYSQL`, as `.stack/env` gives them). Without it every test
//! says loudly that it did not run. Each test has its own database.

mod kit;

mod accounts;
mod another_log;
mod catalogue;
mod concurrent_writers;
mod keyless_tables;
mod keys_that_change;
mod leadership;
mod private_servers;
mod restarts;
mod statements;
mod transfers;
mod values;
mod what_is_not_sent;
