//! The HTTP API: routes, extractors and the OpenAPI document.
//!
//! Handlers translate between HTTP and the engine. The engine enforces the state machine of runs.

mod approvals;
mod auth;
mod extract;
mod health;
mod runs;
mod state;
mod view;
mod workflows;

use crate::http::ApiError;
use crate::webhook::route::{self as webhook, WebhookState};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use hub_otel::http::ServerLayer;
pub use state::AppState;
use std::net::SocketAddr;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "Orchestrator", description = "Triggers workflows of agents, shows their runs, decides approvals."),
    tags(
        (name = "workflows", description = "Graphs of agent calls."),
        (name = "runs", description = "Executions of workflows."),
        (name = "approvals", description = "Decisions that a run waits for."),
        (name = "webhooks", description = "Triggers by other systems."),
        (name = "health", description = "Health of the server."),
    )
)]
struct Document;

/// Builds the router of the API for a listener on `bind`.
pub fn router(state: AppState, bind: SocketAddr) -> Router {
    let (router, mut document) = routes(state, bind).split_for_parts();
    // One handler serves both methods. Operation ids must be unique.
    let webhook = document.paths.paths.get_mut("/api/webhooks/grafana");
    if let Some(put) = webhook.and_then(|path| path.put.as_mut()) {
        put.operation_id = Some("grafana_put".to_owned());
    }
    let document: Arc<str> = document.to_json().unwrap_or_else(|error| error.to_string()).into();
    add_layers(router.route(
        "/openapi.json",
        get(async move || ([("content-type", "application/json")], document.to_string())),
    ))
}

/// Builds a router with only the webhook, for `--webhook-bind`.
pub fn webhook_router(state: &AppState, bind: SocketAddr) -> Router {
    let state = WebhookState::new(state.engine.clone(), &state.secrets, bind);
    add_layers(webhook::router(state).into())
}

fn routes(state: AppState, bind: SocketAddr) -> OpenApiRouter {
    let webhook = WebhookState::new(state.engine.clone(), &state.secrets, bind);
    let authorized = OpenApiRouter::new()
        .routes(routes!(workflows::list, workflows::create))
        .routes(routes!(workflows::show))
        .routes(routes!(workflows::trigger))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::decide))
        .layer(axum::middleware::from_fn_with_state(state.clone(), auth::authorize));
    let open = OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready));
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(authorized)
        .merge(open)
        .with_state(state)
        .merge(webhook::router(webhook))
}

fn add_layers(router: Router) -> Router {
    router
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "no_such_route", "route not found"))
        .method_not_allowed_fallback(async |request: Request| {
            let message = format!("method {} not allowed", request.method());
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        // Probes are frequent and not useful in a trace.
        .layer(ServerLayer::new().exclude("/health/*"))
        // Outside of the span, so that the span records the panic.
        .layer(CatchPanicLayer::custom(|_| {
            let message = "internal error, see the log";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
        }))
}
