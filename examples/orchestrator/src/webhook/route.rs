//! The route: reads the bytes, checks who sent them, and answers once every run is stored.
//!
//! Grafana sends what was not answered with 2xx again only at the next group interval, minutes later: so the answer
//! waits for the store and for nothing else, and an alert that was stored before a later one failed is known when the
//! group comes again.

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

use super::auth::{Credentials, Nonce, Refused};
use super::incident::{Incident, State as IncidentState, incidents};
use super::payload::{BadPayload, Payload};
use crate::api::{ApiError, ErrorBody, read_body};
use crate::clock::Timestamp;
use crate::domain::{NewRun, Trigger};
use crate::engine::Engine;
use crate::security::{self, Secrets};
use crate::store::{Admitted, Alert};

/// The workflow that an alert starts.
pub const WORKFLOW: &str = "alert-notification";
/// By default an hour.
const REMIND_AFTER: Duration = Duration::from_secs(3_600);

/// What the route needs.
#[derive(Clone)]
pub struct WebhookState {
    /// Takes the runs.
    pub engine: Engine,
    /// What a sender may know.
    pub credentials: Arc<Credentials>,
    /// Whether the webhook may be open when no secret is configured: on loopback only.
    pub open: bool,
    /// An incident that still fires after this long is said again.
    pub remind_after: Duration,
}

impl WebhookState {
    /// The webhook of a server: guarded by `secrets`, or open where nobody but this machine can reach it.
    pub fn new(engine: Engine, secrets: &Secrets, bind: SocketAddr) -> Self {
        let credentials = Credentials {
            tokens: secrets.webhook_tokens.clone(),
            hmac_keys: secrets.webhook_hmac_keys.clone(),
        };
        Self {
            engine,
            credentials: Arc::new(credentials),
            open: security::is_loopback(bind),
            remind_after: REMIND_AFTER,
        }
    }
}

/// The route, POST and PUT, with its part of the OpenAPI document.
pub fn router(state: WebhookState) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(grafana)).with_state(state)
}

/// What became of a body.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    /// The first run that was started, or the latest of a known incident.
    workflow_run_id: Option<String>,
    /// One entry an alert, in their order.
    workflow_runs: Vec<AlertRun>,
}

/// What became of one alert.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertRun {
    /// The run: a new one, or the latest of its incident when it is deduplicated.
    id: Option<String>,
    /// The run's status; `IGNORED` when there is none.
    status: &'static str,
    /// What the incident is known by.
    fingerprint: String,
    /// Whether it said nothing new.
    deduplicated: bool,
    /// Why it started no run.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Takes a notification of Grafana's unified alerting, by POST or (a contact point can be told so) PUT.
#[utoipa::path(
    method(post, put), path = "/api/webhooks/grafana", tag = "webhooks",
    request_body(content = serde_json::Value, description = "A unified-alerting notification."),
    responses(
        (status = 200, description = "Every run is stored.", body = Accepted),
        (status = 400, description = "Not a unified-alerting body.", body = ErrorBody),
        (status = 401, description = "No valid credential, a stale signature, or one that was seen before.", body = ErrorBody),
        (status = 403, description = "An open webhook takes nothing from a page of another site.", body = ErrorBody),
        (status = 404, description = "There is no workflow `alert-notification`.", body = ErrorBody),
        (status = 408, description = "The body took too long to arrive.", body = ErrorBody),
        (status = 413, description = "More than 256 KiB, or more than 100 alerts.", body = ErrorBody),
        (status = 503, description = "The runs could not be stored; send it again.", body = ErrorBody),
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
        spend(&state, nonce).await?;
    }
    let payload = Payload::parse(&body)?;
    let incidents = incidents(&payload)?;
    tracing::info!("[Webhook] Received Grafana alert: {}", title(&payload, &incidents));
    if !["", "0"].contains(&payload.truncated.trimmed()) {
        tracing::warn!(
            truncated = payload.truncated.trimmed(),
            "the contact point's maxAlerts cut alerts off"
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
            return Err(Refused::Missing.into());
        }
        if security::is_cross_site(headers) {
            let message = "a page of another site may not send alerts to an open webhook";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site", message));
        }
    }
    state.credentials.check(headers, body, now.0 / 1_000).map_err(|refused| {
        tracing::warn!(reason = refused.code(), "[Webhook] refused a request");
        refused.into()
    })
}

/// A signature over a time is good once.
async fn spend(state: &WebhookState, nonce: Nonce) -> Result<(), ApiError> {
    let signature = hex::encode(&nonce.signature);
    let expires = Timestamp(nonce.expires.saturating_mul(1_000));
    if state.engine.store().remember_signature(&signature, expires).await? {
        return Ok(());
    }
    tracing::warn!(reason = "replayed", "[Webhook] refused a request");
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "replayed", "this signature was used before"))
}

async fn admit(state: &WebhookState, incident: Incident) -> Result<AlertRun, ApiError> {
    let WebhookState { engine, remind_after, .. } = state;
    let Incident { fingerprint, state, feedback_loop, context } = incident;
    let said = |id, status: &'static str, deduplicated, reason| {
        let fingerprint = fingerprint.clone();
        Ok(AlertRun { id, status, fingerprint, deduplicated, reason })
    };
    if feedback_loop {
        tracing::warn!(%fingerprint, "[Webhook] an alert about the alert notification starts no run");
        return said(None, "IGNORED", false, Some("feedback_loop"));
    }
    let alert = Alert {
        fingerprint: fingerprint.clone(),
        firing: state == IncidentState::Firing,
        run: NewRun::new(WORKFLOW, Trigger::GrafanaWebhook, context),
        remind_after: *remind_after,
    };
    match engine.admit_alert(alert).await? {
        Admitted::Started(run) => said(Some(run.id), run.status.as_str(), false, None),
        Admitted::Deduplicated(id) => {
            let run = engine.store().run(&id).await?;
            let status = run.map_or("UNKNOWN", |run| run.status.as_str());
            said(Some(id), status, true, Some("known_incident"))
        }
        Admitted::Nothing => said(None, "IGNORED", true, Some("no_open_incident")),
    }
}

/// The group's title on one line; the sender chose it.
fn title(payload: &Payload, incidents: &[Incident]) -> String {
    let given = match payload.title.trimmed() {
        "" => incidents
            .first()
            .and_then(|incident| incident.context["alert_name"].as_str())
            .unwrap_or_default(),
        title => title,
    };
    given
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(300)
        .collect()
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

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, refused.code(), refused.to_string())
    }
}
