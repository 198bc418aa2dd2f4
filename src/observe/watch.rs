//! Everything that watches one run, from its start to its last log line.

use std::net::SocketAddr;
use std::sync::Arc;

use cdc_sdk::Result;

use super::http::Listener;
use super::progress::{ProgressLine, Ticker};
use super::view::View;

/// Listener, progress line and rates of one run.
#[derive(Debug)]
pub struct Watch {
    view: Arc<View>,
    line: ProgressLine,
    _ticker: Ticker,
    _listener: Option<Listener>,
}

impl Watch {
    /// Begins to watch; listens where an address is given.
    ///
    /// # Errors
    /// See [`Listener::open`].
    pub async fn start(view: &Arc<View>, listen: Option<SocketAddr>, line: &ProgressLine) -> Result<Self> {
        let listener = match listen {
            Some(address) => Some(Listener::open(address, view.clone()).await?),
            None => None,
        };
        if let Some(listener) = &listener {
            tracing::info!(address = %listener.address(), "metrics and status: /metrics /healthz /readyz /status");
        }
        let ticker = Ticker::start(view.clone(), line.clone());
        Ok(Self { view: view.clone(), line: line.clone(), _ticker: ticker, _listener: listener })
    }

    /// Ends with one line that sums the run up.
    pub fn end(self) {
        self.line.clear();
        let status = self.view.status();
        let peak = status.memory.map_or(0, |m| m.peak_bytes);
        tracing::info!(
            rows = status.rows,
            bytes = status.bytes,
            cuts = status.cuts,
            cut = status.cut.as_deref().unwrap_or("none"),
            lag_seconds = status.lag_seconds.unwrap_or(0.0),
            peak_resident_bytes = peak,
            "{} {} has ended",
            status.role,
            status.name
        );
    }
}
