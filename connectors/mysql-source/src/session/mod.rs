//! Connections to the source server: how they are opened, what every one of
//! them is set to, and what the server says of itself.
//!
//! Every connection has the same settings, so that a value reads the same
//! whoever reads it: UTC (`time_zone`), no `sql_mode` but one that forbids less (zero dates, and
//! days that no month has, are values like any other), and a server that waits long for a reader that Kafka
//! holds up (`net_write_timeout`). Nothing here writes to the server's data.

pub mod check;
mod failure;
mod grants;
mod leader;
mod server;
mod tls;

use std::time::Duration;

use cdc_sdk::endpoint::{Endpoint, Kept, TlsMode};
use cdc_sdk::{Error, Kind, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Opts, OptsBuilder};

pub use check::check;
pub use leader::Leader;

pub(crate) use failure::{is_missing_table, is_too_slow, server_error};
pub(crate) use server::{LogEnd, SHOW_WAIT, Server, file_number, is_replica, log_end, wait_for};
pub(crate) use tls::encrypted;

/// How long a connection may take to open.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a short statement (a variable, a lock, a mark) may take.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest packet that is accepted: MySQL's own maximum.
const PACKET_BYTES_MAX: usize = 1 << 30;
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Names, so that `performance_schema` and `SHOW PROCESSLIST` tell whose connection it is.
pub(crate) const PROGRAM_NAME: &str = "cdc-source";

/// The driver reads certificates once for all connections with the same options.
static USED: Kept<Opts> = Kept::new();

/// Opens a connection and sets it up.
///
/// # Errors
/// [`Kind::MysqlUnreachable`] (network, time), [`Kind::MysqlDenied`] (account),
/// [`Kind::Settings`] (TLS files).
pub(crate) async fn connect(endpoint: &Endpoint) -> Result<Conn> {
    let first = open(USED.of(endpoint, |of| options(of, of.tls.mode != TlsMode::Disabled))).await;
    let opened = match first {
        Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
            if endpoint.tls.mode == TlsMode::Preferred =>
        {
            open(options(endpoint, false)).await
        }
        other => other,
    };
    let mut conn = opened.map_err(|e| server_error(e, &format!("connecting to {endpoint}")))?;
    prepare(&mut conn)
        .await
        .map_err(|e| server_error(e, &format!("setting up a connection to {endpoint}")))?;
    Ok(conn)
}

async fn open(options: Opts) -> Result<Conn, mysql_async::Error> {
    opened_in_time(Conn::new(options)).await
}

/// Bounds how long it takes to open a connection.
pub(crate) async fn opened_in_time<T>(
    opening: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, mysql_async::Error> {
    match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(mysql_async::Error::Io(
            std::io::Error::new(std::io::ErrorKind::TimedOut, "the server did not answer in 15 s").into(),
        )),
    }
}

fn options(endpoint: &Endpoint, encrypted: bool) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(&endpoint.host)
        .tcp_port(endpoint.port)
        .user(Some(&endpoint.user))
        .pass(Some(&endpoint.password.0))
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(28_800))
        .stmt_cache_size(0)
        .connect_attribute("program_name", PROGRAM_NAME)
        .ssl_opts(if encrypted { Some(tls::options(&endpoint.tls)) } else { None })
        .into()
}

/// What the server or its `init_connect` has set would count else: a SELECT would begin a transaction, see what is not
/// committed, or end before its last row (MySQL manual, "Server System Variables").
///
/// `show_gipk…` (8.0.30) makes a generated invisible primary key show, `use_invisible_indexes` (8.0) lets
/// a table be read by a key that is kept from other statements; older servers do not know them, and refuse
/// only that statement.
async fn prepare(conn: &mut Conn) -> Result<(), mysql_async::Error> {
    conn.query_drop(
        "SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', transaction_isolation = 'REPEATABLE-READ', \
         sql_select_limit = 18446744073709551615, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', \
         net_write_timeout = 600, net_read_timeout = 600, wait_timeout = 28800, group_concat_max_len = 4294967295, max_sort_length = 8388608",
    )
    .await?;
    conn.query_drop("SET NAMES utf8mb4").await?;
    for newer in [
        "show_gipk_in_create_table_and_information_schema = ON",
        "optimizer_switch = 'use_invisible_indexes=on'",
    ] {
        match conn.query_drop(format!("SET SESSION {newer}")).await {
            Ok(()) | Err(mysql_async::Error::Server(_)) => {}
            Err(broken) => return Err(broken),
        }
    }
    Ok(())
}

/// Runs a short statement under a time limit.
///
/// # Errors
/// What the server answers, and [`Kind::MysqlUnreachable`] when it does not.
pub(crate) async fn within<T>(
    doing: &str,
    work: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, work).await {
        Ok(result) => result.map_err(|e| server_error(e, doing)),
        Err(_) => Err(Error::new(
            Kind::MysqlUnreachable,
            format!("{doing}: no answer in {} s", STATEMENT_TIMEOUT.as_secs()),
        )),
    }
}

#[cfg(test)]
mod tests;
