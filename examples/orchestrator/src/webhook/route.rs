//! The webhook route: reads the body, checks the credentials, and responds once every run is
//! stored.
//!
//! Grafana repeats a failed delivery at the next group interval, minutes later. The response
//! therefore waits for the store only. If one alert of a group cannot be stored, those before it
//! are deduplicated at the next delivery.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{AuthError, Credentials, Nonce, SignatureTime};
use super::incident::{AlertState, Incident, incidents};
use super::payload::{BadPayload, Payload};
use crate::clock::Timestamp;
use crate::domain::{NewRun, Trigger};
use crate::engine::Engine;
use crate::http::{ApiError, ErrorBody, read_body};
use crate::security::{self, Secrets};
use crate::store::{Admitted, AlertRequest};

/// Workflow of the runs.
pub const WORKFLOW: &str = "alert-notification";
/// Default time after which an incident that still fires starts another run.
const REMIND_AFTER: Duration = Duration::from_secs(3_600);

/// State of the route.
#[derive(Clone)]
pub struct WebhookState {
    /// Starts the runs.
    pub engine: Engine,
    /// Credentials of senders.
    pub credentials: Arc<Credentials>,
    /// Accepts requests without credentials if none are configured. Set on loopback only.
    pub open: bool,
    /// Time after which an incident that still fires starts another run.
    pub remind_after: Duration,
}

impl WebhookState {
    /// Creates the state for a listener on `bind`. Without secrets, the webhook is open on loopback
    /// only.
    pub fn new(engine: Engine, secrets: &Secrets, bind: SocketAddr) -> Self {
        let credentials = Credentials {
            tokens: secrets.webhook_tokens.clone(),
            hmac_keys: secrets.webhook_hmac_keys.clone(),
            time: SignatureTime::default(),
        };
        Self {
            engine,
            credentials: Arc::new(credentials),
            open: security::is_loopback(bind),
            remind_after: REMIND_AFTER,
        }
    }

    /// Sets the rules for time stamps of signatures.
    #[must_use]
    pub fn with_signature_time(mut self, time: SignatureTime) -> Self {
        Arc::make_mut(&mut self.credentials).time = time;
        self
    }
}

/// Builds the router, with its part of the OpenAPI document.
pub fn router(state: WebhookState) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(grafana)).with_state(state)
}

/// Result of a notification.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    /// The first run that was started, otherwise the latest run of a known incident.
    workflow_run_id: Option<String>,
    /// One entry per alert, in order.
    workflow_runs: Vec<AlertRun>,
}

/// Result of one alert.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertRun {
    /// Id of the new run, or of the latest run of a deduplicated incident.
    id: Option<String>,
    /// Status of the run, `IGNORED` without a run.
    status: &'static str,
    /// Identifies the incident.
    fingerprint: String,
    /// The incident was known: no run was started.
    deduplicated: bool,
    /// Reason why no run was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Receives a notification of Grafana's unified alerting, by POST or PUT (a setting of the contact
/// point).
#[utoipa::path(
    method(post, put), path = "/api/webhooks/grafana", tag = "webhooks",
    request_body(content = serde_json::Value, description = "A unified-alerting notification."),
    responses(
        (status = 200, description = "Every run is stored.", body = Accepted),
        (status = 400, description = "Not a unified-alerting payload.", body = ErrorBody),
        (status = 401, description = "No valid credential, a stale signature, or a repeated one.", body = ErrorBody),
        (status = 403, description = "An open webhook rejects requests by pages of other sites.", body = ErrorBody),
        (status = 404, description = "The workflow `alert-notification` does not exist.", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time.", body = ErrorBody),
        (status = 413, description = "More than 256 KiB, or more than 100 alerts.", body = ErrorBody),
        (status = 503, description = "The runs could not be stored. Retry.", body = ErrorBody),
    )
)]
async fn grafana(
    State(state): State<WebhookState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, ApiError> {
    let body = read_body(body).await?;
    let nonce = authenticate(&state, &headers, &body, Timestamp::now())?;
    if let Some(nonce) = nonce {
        consume_nonce(&state, nonce).await?;
    }
    let payload = Payload::parse(&body)?;
    let incidents = incidents(&payload)?;
    tracing::info!("[Webhook] Received Grafana alert: {}", title(&payload, &incidents));
    if !["", "0"].contains(&payload.truncated.trimmed()) {
        tracing::warn!(
            truncated = payload.truncated.trimmed(),
            "the contact point's maxAlerts removed alerts"
        );
    }
    state.engine.workflow(WORKFLOW).await?;
    let mut runs = Vec::with_capacity(incidents.len());
    for incident in incidents {
        runs.push(admit(&state, incident).await?);
    }
    let started = runs.iter().find(|run| !run.deduplicated && run.id.is_some());
    let workflow_run_id =
        started.or_else(|| runs.iter().find(|run| run.id.is_some())).and_then(|run| run.id.clone());
    Ok(Json(Accepted { workflow_run_id, workflow_runs: runs }))
}

fn authenticate(
    state: &WebhookState,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Nonce>, ApiError> {
    if state.credentials.is_empty() {
        if !state.open {
            return Err(AuthError::Missing.into());
        }
        if security::is_cross_site(headers) {
            let message = "a page of another site must not send alerts to an open webhook";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site", message));
        }
    }
    state.credentials.check(headers, body, now.0 / 1_000).map_err(|error| {
        tracing::warn!(reason = error.code(), "[Webhook] rejected a request");
        error.into()
    })
}

/// Rejects a signature over a time stamp that was used before.
async fn consume_nonce(state: &WebhookState, nonce: Nonce) -> Result<(), ApiError> {
    let signature = hex::encode(&nonce.signature);
    let expires = Timestamp(nonce.expires.saturating_mul(1_000));
    if state.engine.store().remember_signature(&signature, expires).await? {
        return Ok(());
    }
    tracing::warn!(reason = "replayed", "[Webhook] rejected a request");
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "replayed", "this signature was used before"))
}

async fn admit(state: &WebhookState, incident: Incident) -> Result<AlertRun, ApiError> {
    let WebhookState { engine, remind_after, .. } = state;
    let Incident { fingerprint, state, feedback_loop, context } = incident;
    let result = |id, status: &'static str, deduplicated, reason| {
        let fingerprint = fingerprint.clone();
        Ok(AlertRun { id, status, fingerprint, deduplicated, reason })
    };
    if feedback_loop {
        tracing::warn!(%fingerprint, "[Webhook] ignored an alert about the alert notification");
        return result(None, "IGNORED", false, Some("feedback_loop"));
    }
    let alert = AlertRequest {
        fingerprint: fingerprint.clone(),
        firing: state == AlertState::Firing,
        run: NewRun::new(WORKFLOW, Trigger::GrafanaWebhook, context),
        remind_after: *remind_after,
    };
    match engine.admit_alert(alert).await? {
        Admitted::Started(run) => result(Some(run.id), run.status.as_str(), false, None),
        Admitted::Deduplicated(id) => {
            let run = engine.store().run(&id).await?;
            let status = run.map_or("UNKNOWN", |run| run.status.as_str());
            result(Some(id), status, true, Some("known_incident"))
        }
        Admitted::Nothing => result(None, "IGNORED", true, Some("no_open_incident")),
    }
}

/// Title of the group, for the log.
fn title(payload: &Payload, incidents: &[Incident]) -> String {
    let first = || incidents.first().and_then(|it| it.context["alert_name"].as_str());
    let title = Some(payload.title.trimmed()).filter(|title| !title.is_empty()).or_else(first);
    title.unwrap_or_default().chars().take(300).collect()
}

impl From<BadPayload> for ApiError {
    fn from(error: BadPayload) -> Self {
        match error {
            BadPayload::TooMany(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_alerts", error.to_string())
            }
            _ => Self::new(StatusCode::BAD_REQUEST, "not_unified_alerting", error.to_string()),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error.code(), error.to_string())
    }
}
