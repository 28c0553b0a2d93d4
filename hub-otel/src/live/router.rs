//! The live view as a router of axum.

use super::body::LiveBody;
use super::http::problem;
use super::server::LiveServer;
use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::routing::any;
use http_types::header::{HeaderValue, LOCATION};
use http_types::{Response, StatusCode};
use std::sync::Arc;

/// Returns the router. Without a server every request gets 404.
pub(super) fn router(server: Option<Arc<LiveServer>>) -> Router {
    let handler = any(async move |request: Request| {
        let response = match server {
            Some(server) => respond(server, request).await,
            None => problem(
                StatusCode::NOT_FOUND,
                "the live view is off; use builder().live_embedded() or OTEL_HUB_LIVE=embedded",
            ),
        };
        response.map(Body::new)
    });
    // No fallback: two routers with one cannot be merged.
    ["/", "/live/{*path}", "/v1/traces", "/v1/metrics", "/v1/logs"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, handler.clone()))
}

async fn respond(server: Arc<LiveServer>, request: Request) -> Response<LiveBody> {
    let (parts, body) = request.into_parts();
    if let Some(location) = missing_slash(&parts) {
        let mut response = problem(StatusCode::PERMANENT_REDIRECT, "the path ends with a slash");
        response.headers_mut().insert(LOCATION, location);
        return response;
    }
    // On the export runtime, like the listener's: telemetry is suppressed there.
    let runtime = server.runtime.clone();
    let response = runtime.spawn(async move { server.respond(parts, body).await }).await;
    response.unwrap_or_else(|_| problem(StatusCode::SERVICE_UNAVAILABLE, "telemetry has ended"))
}

/// Returns the target of a redirect for a nested router that is requested without its last slash:
/// the URLs of the page are relative.
fn missing_slash(parts: &http_types::request::Parts) -> Option<HeaderValue> {
    let original = &parts.extensions.get::<OriginalUri>()?.0;
    if parts.uri.path() != "/" || original.path().ends_with('/') {
        return None;
    }
    let query = original.query().map(|query| format!("?{query}")).unwrap_or_default();
    HeaderValue::from_str(&format!("{}/{query}", original.path())).ok()
}
