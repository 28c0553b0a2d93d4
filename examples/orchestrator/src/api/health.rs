//! Health of the server: `/health` (traced) and the probes `/health/live` and `/health/ready` (not
//! traced).

use super::state::AppState;
use crate::engine::trace_id;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Maximum time of the database check. Probes have deadlines of their own, usually of seconds.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Health of the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    /// `ok`, `degraded` (the database fails) or `draining` (the server is shutting down).
    status: &'static str,
    /// `service.name` of the telemetry.
    service: String,
    /// Version of the server.
    version: &'static str,
    /// `ok` or `failed`.
    database: &'static str,
    /// Number of runs in flight.
    active_runs: usize,
    /// Time since the start.
    uptime_seconds: u64,
    /// Description of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// Stable identifier of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Trace id of the request.
    trace_id: Option<String>,
}

async fn check_health(state: &AppState) -> (StatusCode, Health) {
    let check = tokio::time::timeout(CHECK_TIMEOUT, state.engine.store().check()).await;
    let database = match check {
        Ok(Ok(())) => "ok",
        Ok(Err(error)) => {
            tracing::error!(%error, "the database check failed");
            "failed"
        }
        Err(_) => {
            tracing::error!("the database check takes longer than {CHECK_TIMEOUT:?}");
            "failed"
        }
    };
    let (status, problem) = match (database, state.engine.is_draining()) {
        ("failed", _) => ("degraded", Some(("the database is unavailable", "store_unavailable"))),
        (_, true) => ("draining", Some(("the server is shutting down", "draining"))),
        _ => ("ok", None),
    };
    let (error, code) = problem.unzip();
    let http_status =
        if error.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
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
    (http_status, health)
}

/// Shows the health of the server.
#[utoipa::path(
    get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub(super) async fn health(State(state): State<AppState>) -> Response {
    let (status, health) = check_health(&state).await;
    (status, Json(health)).into_response()
}

/// Liveness probe.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, description = "The process is alive.")))]
pub(super) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Readiness probe.
#[utoipa::path(
    get, path = "/health/ready", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub(super) async fn ready(State(state): State<AppState>) -> Response {
    let (status, health) = check_health(&state).await;
    (status, Json(health)).into_response()
}
