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
use crate::security::AllowedHosts;
use crate::webhook::route::{self as webhook, WebhookState};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hub_otel::http::ServerLayer;
pub use state::AppState;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "Orchestrator", description = "Triggers workflows of agents, shows their runs, decides approvals. \
        Every route returns 403 (`host_not_allowed`) for a host that is not permitted, and 503 (`timeout`) after 15 s."),
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
    let hosts = state.hosts.clone();
    let (router, mut document) = routes(state, bind).split_for_parts();
    // One handler serves both methods. Operation ids must be unique.
    let webhook = document.paths.paths.get_mut("/api/webhooks/grafana");
    if let Some(put) = webhook.and_then(|path| path.put.as_mut()) {
        put.operation_id = Some("grafana_put".to_owned());
    }
    let document: Arc<str> = document.to_json().unwrap_or_else(|error| error.to_string()).into();
    let document =
        get(async move || ([("content-type", "application/json")], document.to_string()));
    add_layers(router.route("/openapi.json", document), hosts)
}

/// Builds a router with only the webhook, for `--webhook-bind`.
pub fn webhook_router(state: &AppState, bind: SocketAddr) -> Router {
    let router = webhook::router(webhook_state(state, bind));
    add_layers(router.into(), state.hosts.clone())
}

fn webhook_state(state: &AppState, bind: SocketAddr) -> WebhookState {
    let webhook = WebhookState::new(state.engine.clone(), &state.secrets, bind);
    webhook.with_signature_time(state.signature_time)
}

fn routes(state: AppState, bind: SocketAddr) -> OpenApiRouter {
    let webhook = webhook_state(&state, bind);
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
        .layer(middleware::from_fn_with_state(state.clone(), auth::authorize));
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

/// Maximum time until the response. The deadlines of the parts are shorter, the body's 5 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

async fn limit_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        let message = format!("no response within {} s", REQUEST_TIMEOUT.as_secs());
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message).into_response()
    })
}

async fn check_host(State(hosts): State<AllowedHosts>, request: Request, next: Next) -> Response {
    if hosts.permit(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    let message = "the host of this request is not permitted; allow it with --allowed-host";
    ApiError::new(StatusCode::FORBIDDEN, "host_not_allowed", message).into_response()
}

fn add_layers(router: Router, hosts: AllowedHosts) -> Router {
    router
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "no_such_route", "route not found"))
        .method_not_allowed_fallback(async |request: Request| {
            let message = format!("method {} not allowed", request.method());
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        .layer(middleware::from_fn(limit_time))
        .layer(middleware::from_fn_with_state(hosts, check_host))
        // Probes are frequent and not useful in a trace.
        .layer(ServerLayer::new().exclude("/health/*"))
        // Outside of the span, so that the span records the panic.
        .layer(CatchPanicLayer::custom(|_| {
            let message = "internal error, see the log";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
        }))
}
