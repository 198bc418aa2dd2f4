//! Whether a server is still at work for a connection that does not answer.
//!
//! Packets get lost, and nobody is told: to who waits, a line that has gone silent looks like a statement that
//! takes long. The server knows better, and is asked over another line.

use std::sync::Arc;
use std::time::Duration;

use cdc_sdk::endpoint::Endpoint;
use mysql_async::prelude::Queryable;

use super::connect::dial;

/// How long asking may take.
const ASK_MAX: Duration = Duration::from_secs(20);

/// What the server shows of a thread that waits for its client (`SHOW PROCESSLIST`).
const WAITS_FOR_CLIENT: &str = "Sleep";

/// What a look at the server has shown of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The server is at work for it.
    Busy,
    /// The server waits for it, or has it no more.
    Silent,
    /// That could not be learned.
    Unknown,
}

/// The way to a connection's server.
#[derive(Clone)]
pub(super) struct Line {
    endpoint: Arc<Endpoint>,
    id: u32,
    /// Whether the server knows the connection by that number: behind a proxy that speaks MySQL's protocol it does not.
    known: bool,
}

impl Line {
    /// Of a connection that was told this number.
    pub fn new(endpoint: Arc<Endpoint>, id: u32) -> Self {
        Self { endpoint, id, known: false }
    }

    /// What the server itself calls the connection.
    pub fn is_known_as(&mut self, id: u64) {
        self.known = id == u64::from(self.id);
    }

    /// The number of the connection.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the server does for the connection.
    pub async fn look(&self) -> Look {
        if !self.known {
            return Look::Unknown;
        }
        let asked = tokio::time::timeout(ASK_MAX, self.ask()).await;
        asked.ok().flatten().unwrap_or(Look::Unknown)
    }

    async fn ask(&self) -> Option<Look> {
        let mut conn = dial(&self.endpoint).await.ok()?;
        let sql = format!("SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = {}", self.id);
        let command: Option<String> = conn.query_first(sql).await.ok()?;
        if let Err(error) = conn.disconnect().await {
            tracing::debug!(%error, "a connection was not closed in good order");
        }
        let silent = command.is_none_or(|command| command == WAITS_FOR_CLIENT);
        Some(if silent { Look::Silent } else { Look::Busy })
    }
}
