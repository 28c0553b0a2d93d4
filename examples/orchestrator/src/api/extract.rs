//! Extractors whose refusals are answers in the API's shape.

use super::MAX_BODY;
use super::error::ApiError;
use crate::store;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes past [`MAX_BODY`] that are read and thrown away, so that the sender hears the answer instead of a broken pipe.
const DISCARDED: usize = 16 * 1024 * 1024;

/// Reads a body of bounded size in bounded time.
pub(crate) async fn read_body(body: axum::body::Body) -> Result<Vec<u8>, ApiError> {
    let collect = async {
        let (mut kept, mut total) = (Vec::new(), 0);
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk =
                chunk.map_err(|_| ApiError::bad_request("bad_request", "the body broke off"))?;
            total += chunk.len();
            if total <= MAX_BODY {
                kept.extend_from_slice(&chunk);
            } else if total > DISCARDED {
                break;
            }
        }
        if total > MAX_BODY {
            let message = format!("the body is larger than {MAX_BODY} bytes");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message));
        }
        Ok(kept)
    };
    tokio::time::timeout(BODY_DEADLINE, collect).await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", BODY_DEADLINE.as_secs());
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message))
    })
}

/// A JSON body. An empty one reads as `{}`.
///
/// What is no JSON is 400; JSON of the wrong shape is 422.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read_body(request.into_body()).await?;
        let text = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes.as_slice() };
        // In two steps: text that is no JSON is 400 even where its beginning has the wrong shape.
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| {
            ApiError::bad_request("invalid_json", format!("the body is not JSON: {error}"))
        })?;
        serde_json::from_value(value).map(Self).map_err(|error| {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", error.to_string())
        })
    }
}

/// The query string.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::bad_request("invalid_query", rejection.body_text())),
        }
    }
}

/// The one variable of a path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<String>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::bad_request("invalid_path", rejection.body_text())),
        }
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// At most so many, 1 to 100. Default 50.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// After so many.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u32>,
}

impl PageQuery {
    pub(super) fn page(self) -> Result<store::Page, ApiError> {
        let (limit, offset) = (self.limit.unwrap_or(50), self.offset.unwrap_or(0));
        if !(1..=100).contains(&limit) {
            return Err(ApiError::bad_request(
                "invalid_query",
                format!("limit is {limit}; it may be 1 to 100"),
            ));
        }
        if offset > 1_000_000 {
            let message = format!("offset is {offset}; it may be 0 to 1000000");
            return Err(ApiError::bad_request("invalid_query", message));
        }
        Ok(store::Page { limit, offset })
    }
}

/// Where the next page begins, when this one is full.
pub(super) fn next_offset(page: store::Page, found: usize) -> Option<u32> {
    let full = u32::try_from(found).is_ok_and(|found| found >= page.limit);
    full.then(|| page.offset.saturating_add(page.limit))
}
