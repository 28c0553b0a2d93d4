//! Routes of workflows, and the trigger of a run.

use super::extract::{Body, PageQuery, PathParam, Query};
use super::state::AppState;
use crate::domain::{NewRun, Run, RunStatus, Trigger, Workflow, graph};
use crate::http::{ApiError, ErrorBody};
use crate::store::Created;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// A page of workflows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkflowPage {
    /// The workflows, by name. Fewer than the limit if they take more than 1 MiB.
    workflows: Vec<Workflow>,
    /// Cursor of the next page. Null on the last page.
    next_cursor: Option<String>,
}

/// Lists the workflows.
#[utoipa::path(
    get, path = "/api/workflows", operation_id = "list_workflows", tag = "workflows", params(PageQuery),
    responses(
        (status = 200, body = WorkflowPage),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
) -> Result<Json<WorkflowPage>, ApiError> {
    let page = state.engine.store().workflows(page.page()?).await?;
    Ok(Json(WorkflowPage { workflows: page.entries, next_cursor: page.next }))
}

/// Stores a workflow. Workflows are immutable: a new version needs a new name.
#[utoipa::path(
    post, path = "/api/workflows", tag = "workflows", request_body = Workflow,
    responses(
        (status = 201, body = Workflow),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 408, body = ErrorBody),
        (status = 409, description = "The name is in use.", body = ErrorBody),
        (status = 413, body = ErrorBody),
        (status = 422, description = "The graph is invalid. The error names the node.", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn create(
    State(state): State<AppState>,
    Body(workflow): Body<Workflow>,
) -> Result<Response, ApiError> {
    graph::validate(&workflow, state.engine.agents())?;
    if !state.engine.store().create_workflow(&workflow).await? {
        let message = format!("a workflow `{}` exists; workflows are immutable", workflow.name);
        return Err(ApiError::new(StatusCode::CONFLICT, "name_taken", message));
    }
    let location = [("location", format!("/api/workflows/{}", workflow.name))];
    Ok((StatusCode::CREATED, location, Json(workflow)).into_response())
}

/// Shows a workflow.
#[utoipa::path(
    get, path = "/api/workflows/{name}", operation_id = "show_workflow", tag = "workflows",
    params(("name" = String, Path, description = "The workflow's name, which is its id.")),
    responses(
        (status = 200, body = Workflow),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(state): State<AppState>,
    PathParam(name): PathParam,
) -> Result<Json<Workflow>, ApiError> {
    Ok(Json((*state.engine.workflow(&name).await?).clone()))
}

/// Context and trigger of a run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TriggerRequest {
    /// Top-level variables of the workflow's templates.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"repository": "."}))]
    context_json: Option<Map<String, Value>>,
    /// The label `trigger_type`. Defaults to `manual`.
    #[serde(default)]
    trigger_type: Option<CallerTrigger>,
}

/// Triggers that a caller can set.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CallerTrigger {
    Manual,
    Schedule,
    Event,
}

/// A run that was triggered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Triggered {
    /// Id of the run.
    pub(super) workflow_run_id: String,
    /// PENDING, or the status of an existing run with the same idempotency key.
    pub(super) status: RunStatus,
    /// Id of the trace that the run is part of.
    pub(super) trace_id: Option<String>,
}

impl Triggered {
    /// 202 with the location of the run.
    pub(super) fn response(run: &Run) -> Response {
        let body = Self {
            workflow_run_id: run.id.clone(),
            status: run.status,
            trace_id: run.trace_id.clone(),
        };
        let location = [("location", format!("/api/runs/{}", run.id))];
        (StatusCode::ACCEPTED, location, Json(body)).into_response()
    }
}

/// Starts a run.
#[utoipa::path(
    post, path = "/api/workflows/{name}/trigger", tag = "workflows",
    params(
        ("name" = String, Path, description = "The workflow's name, which is its id."),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]+$",
         description = "A repeated request with the same key and body returns the same run."),
    ),
    request_body = TriggerRequest,
    responses(
        (status = 202, description = "The run is stored.", body = Triggered),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 408, body = ErrorBody),
        (status = 409, description = "The key was used with another body.", body = ErrorBody),
        (status = 413, body = ErrorBody),
        (status = 422, body = ErrorBody),
        (status = 503, description = "Retry after Retry-After.", body = ErrorBody),
    )
)]
pub(super) async fn trigger(
    State(state): State<AppState>,
    PathParam(name): PathParam,
    headers: HeaderMap,
    Body(request): Body<TriggerRequest>,
) -> Result<Response, ApiError> {
    let trigger = match request.trigger_type {
        None | Some(CallerTrigger::Manual) => Trigger::Manual,
        Some(CallerTrigger::Schedule) => Trigger::Schedule,
        Some(CallerTrigger::Event) => Trigger::Event,
    };
    let context = request.context_json.unwrap_or_default();
    let key = idempotency_key(&headers)?;
    let fingerprint = || {
        // The order of keys does not change a request.
        let mut request = json!([trigger.as_str(), context]);
        request.sort_all_objects();
        hex::encode(Sha256::digest(request.to_string().as_bytes()))
    };
    let idempotency = key.map(|key| (key, fingerprint()));
    let run = NewRun { idempotency, ..NewRun::new(&name, trigger, context) };
    match state.engine.trigger(run).await? {
        Created::New(run) | Created::Existing(run) => Ok(Triggered::response(&run)),
        Created::Conflict => {
            let message = "this Idempotency-Key was used for another request";
            Err(ApiError::new(StatusCode::CONFLICT, "idempotency_conflict", message))
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return match headers.contains_key("idempotency-key") {
            false => Ok(None),
            true => Err(ApiError::bad_request(
                "invalid_idempotency_key",
                "more than one Idempotency-Key",
            )),
        };
    };
    let is_valid = |key: &&str| {
        (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match key.to_str().ok().filter(is_valid) {
        Some(key) => Ok(Some(key.to_owned())),
        None => {
            let message =
                "an Idempotency-Key has 1 to 255 printable ASCII characters without spaces";
            Err(ApiError::bad_request("invalid_idempotency_key", message))
        }
    }
}
