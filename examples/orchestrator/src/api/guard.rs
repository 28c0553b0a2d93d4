//! Who may call the API: beyond loopback who knows the token, and never a page of another site.

use super::{ApiError, AppState};
use crate::security;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let tokens = &state.secrets.api_tokens;
    if !security::carries_token(request.headers(), tokens) {
        let message = "this server asks for `Authorization: Bearer <HUB_API_TOKEN>`";
        return ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).into_response();
    }
    // On an open server a browser must not do what a page on the internet says.
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if changes && tokens.is_empty() && security::is_cross_site(request.headers()) {
        let message = "a page of another site may not change anything here";
        return ApiError::new(StatusCode::FORBIDDEN, "cross_site", message).into_response();
    }
    next.run(request).await
}
