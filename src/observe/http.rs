//! The listener: `/metrics`, `/healthz`, `/readyz`, `/status`.
//!
//! It only ever reads, needs no account and shows no secret; it is there only
//! where `[http] listen` asks for it. `/healthz` fails once the pipeline has
//! stopped, `/readyz` until it is in its place (on standby counts).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Redirect, Response};
use axum::routing::get;
use cdc_sdk::{Error, Kind, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::page;
use super::view::View;

/// The content type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A listener that serves until it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens at this address.
    ///
    /// # Errors
    /// [`Kind::Settings`]: the address cannot be listened at.
    pub async fn open(address: SocketAddr, view: Arc<View>) -> Result<Self> {
        let refused = |e: std::io::Error| {
            Error::new(Kind::Settings, format!("[http] listen: {address} cannot be listened at"))
                .hint("choose another address, or leave [http] out")
                .caused_by(e)
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes(view)).await {
                tracing::warn!(%error, "the listener for metrics and status has ended");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens; tells the port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn routes(view: Arc<View>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/status") }))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .with_state(view)
}

async fn metrics(Shared(view): Shared<Arc<View>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], view.metrics_text())
}

async fn healthz(Shared(view): Shared<Arc<View>>) -> impl IntoResponse {
    let state = view.current_state();
    (code(state.is_alive()), format!("{state}\n"))
}

async fn readyz(Shared(view): Shared<Arc<View>>) -> impl IntoResponse {
    let state = view.current_state();
    (code(state.is_ready()), format!("{state}\n"))
}

/// JSON, or a page for a browser.
async fn status(Shared(view): Shared<Arc<View>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let status = view.status();
    if accept.contains("text/html") {
        return Html(page::render(&status)).into_response();
    }
    Json(status).into_response()
}

fn code(well: bool) -> StatusCode {
    if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

#[cfg(test)]
mod tests;
