//! Reads a request body of bounded size in bounded time.

use super::error::ApiError;
use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use std::time::Duration;

/// Maximum size of a body. Larger bodies are rejected with 413.
pub const MAX_BODY: usize = 256 * 1024;
/// Maximum time until a body has arrived.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes past [`MAX_BODY`] that are read and discarded, so that the sender receives the response
/// instead of a broken pipe. `DefaultBodyLimit` and tower-http's limit close the connection
/// instead.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// Reads a body.
///
/// # Errors
/// The body is too large (413), too slow (408) or incomplete (400).
pub async fn read_body(body: Body) -> Result<Vec<u8>, ApiError> {
    tokio::time::timeout(BODY_TIMEOUT, collect(body)).await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message))
    })
}

async fn collect(body: Body) -> Result<Vec<u8>, ApiError> {
    let (mut kept, mut total) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|_| ApiError::bad_request("bad_request", "the body is incomplete"))?;
        total += chunk.len();
        if total <= MAX_BODY {
            kept.extend_from_slice(&chunk);
        } else if total > MAX_DISCARDED {
            break;
        }
    }
    if total > MAX_BODY {
        let message = format!("the body is larger than {MAX_BODY} bytes");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message));
    }
    Ok(kept)
}
