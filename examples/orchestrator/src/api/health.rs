//! Whether the server can do its work: for people (`/health`, traced) and for probes (not traced).

use super::AppState;
use crate::engine::trace_id;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    /// `ok`, `degraded` (the database does not work) or `draining` (the process is about to go).
    status: &'static str,
    /// Its `service.name`.
    service: String,
    /// Its version.
    version: &'static str,
    /// `ok` or `failed`.
    database: &'static str,
    /// Runs that are being executed.
    active_runs: usize,
    /// How long it has served.
    uptime_seconds: u64,
    /// What is wrong, when something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// The same for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Where to look for what happened.
    trace_id: Option<String>,
}

async fn examine(state: &AppState) -> (StatusCode, Health) {
    let database = match state.engine.store().check().await {
        Ok(()) => "ok",
        Err(error) => {
            tracing::error!(%error, "the database does not work");
            "failed"
        }
    };
    let (status, trouble) = match (database, state.engine.is_draining()) {
        ("failed", _) => ("degraded", Some(("the database cannot be used", "store_unavailable"))),
        (_, true) => ("draining", Some(("the server is shutting down", "draining"))),
        _ => ("ok", None),
    };
    let (error, code) = trouble.unzip();
    let answer = if error.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let health = Health {
        status,
        service: state.service.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        database,
        active_runs: state.engine.in_flight(),
        uptime_seconds: state.started.elapsed().as_secs(),
        error,
        code,
        trace_id: trace_id(),
    };
    (answer, health)
}

/// How the server is, for people.
#[utoipa::path(
    get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub(super) async fn health(State(state): State<AppState>) -> Response {
    let (status, health) = examine(&state).await;
    (status, Json(health)).into_response()
}

/// Does the process answer at all?
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, description = "It does.")))]
pub(super) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Should it be sent work?
#[utoipa::path(
    get, path = "/health/ready", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub(super) async fn ready(State(state): State<AppState>) -> Response {
    let (status, health) = examine(&state).await;
    (status, Json(health)).into_response()
}
