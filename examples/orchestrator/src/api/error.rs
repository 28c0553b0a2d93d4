//! An answer that says no: `{"error","code","traceId"}`, and never anything else.

use crate::domain::graph::GraphError;
use crate::engine::{EngineError, trace_id};
use crate::store::StoreError;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer that says no.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    error: String,
}

/// What stands in the body of every error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// For people.
    pub error: String,
    /// For programs: stable, snake_case.
    pub code: String,
    /// Where to look for what happened; absent when the request was not traced.
    pub trace_id: Option<String>,
}

impl ApiError {
    /// An answer with a stable code and a sentence.
    pub fn new(status: StatusCode, code: &'static str, error: impl Into<String>) -> Self {
        Self { status, code, error: error.into() }
    }

    /// The request makes no sense.
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
        // What the database said may name files; it goes to the log.
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "draining",
                "the server is shutting down",
            ),
            StoreError::Database(_) => {
                let message = "the database cannot be used at the moment";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message)
            }
            StoreError::Corrupt(_) => {
                let message = "the database holds a row that this version cannot read";
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
