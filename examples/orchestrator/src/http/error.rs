//! The error response of every route: `{"error","code","traceId"}`.

use crate::domain::graph::GraphError;
use crate::engine::{EngineError, trace_id};
use crate::store::StoreError;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error response.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    error: String,
}

/// Body of every error response.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Description of the error.
    pub error: String,
    /// Stable identifier of the error, in snake_case.
    pub code: String,
    /// Trace id of the request. Absent if the request was not traced.
    pub trace_id: Option<String>,
}

impl ApiError {
    /// Creates an error response from a stable code and a description.
    pub fn new(status: StatusCode, code: &'static str, error: impl Into<String>) -> Self {
        Self { status, code, error: error.into() }
    }

    /// Creates a 400 response.
    pub fn bad_request(code: &'static str, error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, error)
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let text = error.to_string();
        match error {
            EngineError::Draining => Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", text),
            EngineError::Overloaded(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", text)
            }
            EngineError::UnknownWorkflow(_) => {
                Self::new(StatusCode::NOT_FOUND, "workflow_not_found", "Workflow not found")
            }
            EngineError::UnknownRun(_) => {
                Self::new(StatusCode::NOT_FOUND, "run_not_found", "Run not found")
            }
            EngineError::WrongState(_) => Self::new(StatusCode::CONFLICT, "wrong_state", text),
            EngineError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // The text of a database error can contain file names. It is logged, not returned.
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "draining",
                "the server is shutting down",
            ),
            StoreError::Database(_) => {
                let message = "the database is unavailable";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message)
            }
            StoreError::Corrupt(_) => {
                let message = "a row of the database cannot be read by this version";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "corrupt_row", message)
            }
        }
    }
}

impl From<GraphError> for ApiError {
    fn from(error: GraphError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body =
            ErrorBody { error: self.error, code: self.code.to_owned(), trace_id: trace_id() };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
            }
            StatusCode::UNAUTHORIZED => {
                headers
                    .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
