//! Authorization of API requests: a Bearer token if one is configured, and no changes by pages of
//! another site.

use super::state::AppState;
use crate::http::ApiError;
use crate::security;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub(super) async fn authorize(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let tokens = &state.secrets.api_tokens;
    if !security::has_valid_token(request.headers(), tokens) {
        let message = "this server requires `Authorization: Bearer <HUB_API_TOKEN>`";
        return ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).into_response();
    }
    // Without a token, a page on the internet could use the browser to change something on
    // loopback.
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if changes && tokens.is_empty() && security::is_cross_site(request.headers()) {
        let message = "a page of another site must not change anything";
        return ApiError::new(StatusCode::FORBIDDEN, "cross_site", message).into_response();
    }
    next.run(request).await
}
