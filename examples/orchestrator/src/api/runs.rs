//! Routes of runs.

use super::extract::{PageQuery, PathParam, Query};
use super::state::AppState;
use super::view::{RunView, with_nodes};
use super::workflows::Triggered;
use crate::domain::RunStatus;
use crate::engine::EngineError;
use crate::http::{ApiError, ErrorBody};
use crate::store::Listed;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunPage {
    /// The runs, newest first. Fewer than the limit if they take more than 1 MiB.
    runs: Vec<RunView>,
    /// Cursor of the next page. Null on the last page.
    next_cursor: Option<String>,
}

/// Filter of runs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatusQuery {
    /// Only runs with this status.
    status: Option<RunStatus>,
}

/// Lists the runs of a workflow, newest first.
#[utoipa::path(
    get, path = "/api/workflows/{name}/runs", operation_id = "list_runs", tag = "runs",
    params(("name" = String, Path, description = "The workflow's name."), PageQuery, StatusQuery),
    responses(
        (status = 200, body = RunPage),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(state): State<AppState>,
    PathParam(name): PathParam,
    Query(page): Query<PageQuery>,
    Query(only): Query<StatusQuery>,
) -> Result<Json<RunPage>, ApiError> {
    let page = page.page()?;
    state.engine.workflow(&name).await?;
    let store = state.engine.store();
    let Listed { entries, next } = store.runs(&name, only.status, page).await?;
    Ok(Json(RunPage { runs: with_nodes(&**store, entries).await?, next_cursor: next }))
}

/// Shows a run.
#[utoipa::path(
    get, path = "/api/runs/{id}", operation_id = "show_run", tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, body = RunView),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(state): State<AppState>,
    PathParam(id): PathParam,
) -> Result<Json<RunView>, ApiError> {
    fetch_view(&state, &id).await.map(Json)
}

async fn fetch_view(state: &AppState, id: &str) -> Result<RunView, ApiError> {
    let store = state.engine.store();
    let run = store.run(id).await?.ok_or_else(|| EngineError::UnknownRun(id.to_owned()))?;
    let mut views = with_nodes(&**store, vec![run]).await?;
    views.pop().ok_or_else(|| EngineError::UnknownRun(id.to_owned()).into())
}

/// Cancels a run that has not ended.
#[utoipa::path(
    post, path = "/api/runs/{id}/cancel", tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The run is CANCELLED.", body = RunView),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The run has ended.", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn cancel(
    State(state): State<AppState>,
    PathParam(id): PathParam,
) -> Result<Json<RunView>, ApiError> {
    state.engine.cancel(&id).await?;
    fetch_view(&state, &id).await.map(Json)
}

/// Starts a new run with the workflow and the context of a run that failed.
#[utoipa::path(
    post, path = "/api/runs/{id}/retry", tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 202, description = "The new run is stored.", body = Triggered),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The run has not ended, or succeeded.", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(super) async fn retry(
    State(state): State<AppState>,
    PathParam(id): PathParam,
) -> Result<Response, ApiError> {
    Ok(Triggered::response(&state.engine.retry(&id).await?))
}
