//! Routes of approvals.

use super::extract::{Body, PageQuery, PathParam, Query};
use super::state::AppState;
use crate::domain::{Approval, Decision};
use crate::http::{ApiError, ErrorBody};
use crate::store::{Decided, Resolution};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A page of approvals.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApprovalPage {
    /// The approvals, newest first. Fewer than the limit if they take more than 1 MiB.
    approvals: Vec<Approval>,
    /// Cursor of the next page. Null on the last page.
    next_cursor: Option<String>,
}

/// Filter of approvals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DecisionQuery {
    /// Only approvals with this decision. `PENDING`: not decided yet.
    decision: Option<Decision>,
}

/// Lists the approvals, newest first.
#[utoipa::path(
    get, path = "/api/approvals", operation_id = "list_approvals", tag = "approvals", params(PageQuery, DecisionQuery),
    responses(
        (status = 200, body = ApprovalPage),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    Query(only): Query<DecisionQuery>,
) -> Result<Json<ApprovalPage>, ApiError> {
    let page = state.engine.store().approvals(only.decision, page.page()?).await?;
    Ok(Json(ApprovalPage { approvals: page.entries, next_cursor: page.next }))
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DecisionRequest {
    /// The decision.
    decision: FinalDecision,
    /// The person who decides.
    #[schema(min_length = 1, max_length = 200)]
    responded_by: String,
    /// Notes of that person.
    #[serde(default)]
    #[schema(max_length = 2000)]
    notes: Option<String>,
}

/// The two possible decisions.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum FinalDecision {
    Approved,
    Rejected,
}

/// Decides an approval.
#[utoipa::path(
    post, path = "/api/approvals/{id}/decision", tag = "approvals",
    params(("id" = String, Path, description = "The approval's id.")),
    request_body = DecisionRequest,
    responses(
        (status = 200, description = "The decision is stored.", body = Approval),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 408, body = ErrorBody),
        (status = 409, description = "The approval is already decided.", body = ErrorBody),
        (status = 410, description = "The approval has expired.", body = ErrorBody),
        (status = 413, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn decide(
    State(state): State<AppState>,
    PathParam(id): PathParam,
    Body(request): Body<serde_json::Value>,
) -> Result<Json<Approval>, ApiError> {
    let request: DecisionRequest = serde_json::from_value(request)
        .map_err(|error| ApiError::bad_request("invalid_body", error.to_string()))?;
    let responded_by = request.responded_by.trim().to_owned();
    if !(1..=200).contains(&responded_by.chars().count()) {
        return Err(ApiError::bad_request(
            "invalid_body",
            "respondedBy must have 1 to 200 characters",
        ));
    }
    if request.notes.as_ref().is_some_and(|notes| notes.chars().count() > 2000) {
        return Err(ApiError::bad_request(
            "invalid_body",
            "notes must have at most 2000 characters",
        ));
    }
    let decision = match request.decision {
        FinalDecision::Approved => Decision::Approved,
        FinalDecision::Rejected => Decision::Rejected,
    };
    let resolution = Resolution { decision, responded_by, notes: request.notes };
    match state.engine.decide(&id, resolution).await? {
        Decided::Now(decision) => Ok(Json(decision.approval)),
        Decided::Already(approval) => {
            let message =
                format!("the approval is already decided: {}", approval.decision.as_str());
            Err(ApiError::new(StatusCode::CONFLICT, "already_decided", message))
        }
        Decided::Expired(approval) => {
            let message = format!("the approval expired at {}", approval.expires_at);
            Err(ApiError::new(StatusCode::GONE, "approval_expired", message))
        }
        Decided::Unknown => {
            Err(ApiError::new(StatusCode::NOT_FOUND, "approval_not_found", "Approval not found"))
        }
    }
}
