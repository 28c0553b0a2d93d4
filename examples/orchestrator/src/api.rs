//! The HTTP API: routes, extractors, errors, and the document that describes them.
//!
//! Handlers translate between HTTP and the engine; what may happen to a run is not decided here.

mod approvals;
mod error;
mod extract;
mod guard;
mod health;
mod runs;
mod view;
mod workflows;

use crate::engine::Engine;
use crate::security::Secrets;
use crate::webhook::route::{self as webhook, WebhookState};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
pub use error::{ApiError, ErrorBody};
pub(crate) use extract::read_body;
use hub_otel::http::ServerLayer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What every handler can reach.
#[derive(Clone)]
pub struct AppState {
    /// Runs, and through it the store and the agents.
    pub engine: Engine,
    /// What callers have to know.
    pub secrets: Arc<Secrets>,
    /// `service.name`, as telemetry says it.
    pub service: Arc<str>,
    /// When the process began to serve.
    pub started: Instant,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Orchestrator", description = "Workflows of agents: trigger, watch, approve."),
    tags(
        (name = "workflows", description = "What can be run."),
        (name = "runs", description = "What was run, and what became of it."),
        (name = "approvals", description = "What waits for a human."),
        (name = "webhooks", description = "What others trigger."),
        (name = "health", description = "Whether the server can do its work."),
    )
)]
struct Document;

/// Larger bodies are answered 413.
const MAX_BODY: usize = 256 * 1024;

/// Every route of the API, as it is served on `bind`.
pub fn router(state: AppState, bind: SocketAddr) -> Router {
    let (router, mut document) = routes(state, bind).split_for_parts();
    // One handler takes both methods, but an operation's id is its own.
    let webhook = document.paths.paths.get_mut("/api/webhooks/grafana");
    if let Some(put) = webhook.and_then(|path| path.put.as_mut()) {
        put.operation_id = Some("grafana_put".to_owned());
    }
    let document: Arc<str> = document.to_json().unwrap_or_else(|error| error.to_string()).into();
    finish(router.route(
        "/openapi.json",
        get(async move || ([("content-type", "application/json")], document.to_string())),
    ))
}

/// Nothing but the webhook, for `--webhook-bind`.
pub fn webhook_router(state: &AppState, bind: SocketAddr) -> Router {
    let state = WebhookState::new(state.engine.clone(), &state.secrets, bind);
    finish(webhook::router(state).into())
}

fn routes(state: AppState, bind: SocketAddr) -> OpenApiRouter {
    let webhook = WebhookState::new(state.engine.clone(), &state.secrets, bind);
    let guarded = OpenApiRouter::new()
        .routes(routes!(workflows::list, workflows::create))
        .routes(routes!(workflows::show))
        .routes(routes!(workflows::trigger))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::decide))
        .layer(axum::middleware::from_fn_with_state(state.clone(), guard::guard));
    let open = OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready));
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(guarded)
        .merge(open)
        .with_state(state)
        .merge(webhook::router(webhook))
}

fn finish(router: Router) -> Router {
    router
        .fallback(async || {
            ApiError::new(StatusCode::NOT_FOUND, "no_such_route", "there is no such route")
        })
        .method_not_allowed_fallback(async |request: Request| {
            let message = format!("{} is not allowed here", request.method());
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        // Probes come every few seconds and say nothing.
        .layer(ServerLayer::new().exclude("/health/*"))
        // Outside of the span, which has to see the panic.
        .layer(CatchPanicLayer::custom(|_| {
            let message = "the server made a mistake; the log says which";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
        }))
}

/// 202 with where to look.
fn accepted(run: &crate::domain::Run) -> Response {
    let body = workflows::Triggered {
        workflow_run_id: run.id.clone(),
        status: run.status,
        trace_id: run.trace_id.clone(),
    };
    (StatusCode::ACCEPTED, [("location", format!("/api/runs/{}", run.id))], Json(body))
        .into_response()
}
