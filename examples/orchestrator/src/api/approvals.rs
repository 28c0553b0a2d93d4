//! `/api/approvals`: what waits for a human, and what the human says.

use super::error::ErrorBody;
use super::extract::{Body, Name, PageQuery, Query, next_offset};
use super::{ApiError, AppState};
use crate::domain::{Approval, Decision};
use crate::store::{Answer, Decided};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A page of approvals.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approvals {
    /// Newest first.
    approvals: Vec<Approval>,
    /// Where the next page begins.
    next_offset: Option<u32>,
}

/// Which approvals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DecisionQuery {
    /// Only those that were decided so; `PENDING` for those that wait.
    decision: Option<Decision>,
}

/// Lists the approvals, newest first.
#[utoipa::path(
    get, path = "/api/approvals", operation_id = "list_approvals", tag = "approvals", params(PageQuery, DecisionQuery),
    responses(
        (status = 200, body = Approvals), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    Query(only): Query<DecisionQuery>,
) -> Result<Json<Approvals>, ApiError> {
    let page = page.page()?;
    let approvals = state.engine.store().approvals(only.decision, page).await?;
    let next_offset = next_offset(page, approvals.len());
    Ok(Json(Approvals { approvals, next_offset }))
}

/// What a human says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DecisionRequest {
    /// Yes or no.
    decision: Verdict,
    /// Who says it.
    #[schema(min_length = 1, max_length = 200)]
    responded_by: String,
    /// And why.
    #[serde(default)]
    #[schema(max_length = 2000)]
    notes: Option<String>,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Verdict {
    Approved,
    Rejected,
}

/// Decides an approval.
#[utoipa::path(
    post, path = "/api/approvals/{id}/decision", tag = "approvals",
    params(("id" = String, Path, description = "The approval's id.")),
    request_body = DecisionRequest,
    responses(
        (status = 200, description = "The decision counts.", body = Approval),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 408, body = ErrorBody),
        (status = 409, description = "It was decided before.", body = ErrorBody),
        (status = 410, description = "It has expired.", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn decide(
    State(state): State<AppState>,
    Name(id): Name,
    Body(request): Body<serde_json::Value>,
) -> Result<Json<Approval>, ApiError> {
    let request: DecisionRequest = serde_json::from_value(request)
        .map_err(|error| ApiError::bad_request("invalid_body", error.to_string()))?;
    let responded_by = request.responded_by.trim().to_owned();
    if !(1..=200).contains(&responded_by.chars().count()) {
        return Err(ApiError::bad_request("invalid_body", "respondedBy is 1 to 200 characters"));
    }
    if request.notes.as_ref().is_some_and(|notes| notes.chars().count() > 2000) {
        return Err(ApiError::bad_request("invalid_body", "notes are at most 2000 characters"));
    }
    let decision = match request.decision {
        Verdict::Approved => Decision::Approved,
        Verdict::Rejected => Decision::Rejected,
    };
    match state.engine.decide(&id, Answer { decision, responded_by, notes: request.notes }).await? {
        Decided::Now(approval, _) => Ok(Json(approval)),
        Decided::Already(approval) => {
            let message = format!("it was decided before: {}", approval.decision.as_str());
            Err(ApiError::new(StatusCode::CONFLICT, "already_decided", message))
        }
        Decided::Expired(approval) => {
            let message = format!("it expired at {}", approval.expires_at);
            Err(ApiError::new(StatusCode::GONE, "approval_expired", message))
        }
        Decided::Unknown => {
            Err(ApiError::new(StatusCode::NOT_FOUND, "approval_not_found", "Approval not found"))
        }
    }
}
