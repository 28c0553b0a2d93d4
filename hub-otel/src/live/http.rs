//! The routes of the live view: the page at `/`, OTLP under `/v1/`, everything else under `/live/`.

use super::access::{Denied, query};
use super::application::{ApprovalJson, Decision};
use super::assets;
use super::body::{LiveBody, LiveResponse};
use super::events::Position;
use super::receive::is_otlp;
use super::server::LiveServer;
use super::store::SelectedRun;
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use http_types::header::{self, HeaderName, HeaderValue};
use http_types::request::Parts;
use http_types::{Method, Response, StatusCode};
use opentelemetry::trace::{SpanId, TraceId};
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Limit of the body of an action.
const MAX_BODY: usize = 64 * 1024;
/// Time limit of that body.
const MAX_BODY_TIME: Duration = Duration::from_secs(5);

/// Content of the page: this server's files only, no inline script or style, no frame.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

/// Closes the connection of a slow client.
#[derive(Debug, Clone)]
pub(super) struct Abort(pub(super) Arc<Notify>);

/// A decision in the body of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DecisionRequest {
    id: String,
    approved: bool,
    #[serde(default)]
    by: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelRequest {
    run: String,
}

impl LiveServer {
    /// Handles one request. Called on the export thread.
    pub(super) async fn respond<B>(self: &Arc<Self>, parts: Parts, body: B) -> LiveResponse
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if is_otlp(parts.uri.path()) {
            return with_policy(self.receive(&parts, body).await);
        }
        let body = timeout(MAX_BODY_TIME, Limited::new(body, MAX_BODY).collect()).await;
        let mut response = match body {
            Ok(Ok(body)) => {
                let response = self.route(&parts, &body.to_bytes()).await;
                response.unwrap_or_else(|denied| reject(denied, &parts))
            }
            Ok(Err(_)) => problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            Err(_) => problem(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        };
        if let Some(cookie) = self.access.cookie(&parts)
            && let Ok(cookie) = HeaderValue::from_str(&cookie)
        {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        with_policy(response)
    }

    async fn route(self: &Arc<Self>, parts: &Parts, body: &Bytes) -> Result<LiveResponse, Denied> {
        self.access.check_host(parts)?;
        let path = parts.uri.path();
        let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
        // The files are public: they are in the crate.
        if let Some(asset) = path.strip_prefix("/live/").and_then(assets::find).filter(|_| is_read)
        {
            return Ok(asset.respond(&parts.headers));
        }
        self.access.check_token(parts)?;
        if matches!(path, "/" | "") && is_read {
            return Ok(assets::page());
        }
        self.access.check_origin(parts)?;
        if parts.method == Method::POST {
            return Ok(self.act(path, parts, body).await);
        }
        if !is_read {
            return Ok(problem(StatusCode::METHOD_NOT_ALLOWED, "GET or POST"));
        }
        Ok(match path {
            "/live/info" => json_response(&self.info()),
            "/live/events" => self.stream(parts, selected(parts)),
            "/live/updates" => {
                let (message, _) = self.message(&mut position(parts), selected(parts).as_ref());
                raw_json(message)
            }
            "/live/span" => {
                let trace = query(parts, "trace").and_then(|id| TraceId::from_hex(&id).ok());
                let span = query(parts, "span").and_then(|id| SpanId::from_hex(&id).ok());
                match trace.zip(span).and_then(|(trace, span)| self.span_json(trace, span)) {
                    Some(json) => raw_json(json),
                    None => problem(StatusCode::NOT_FOUND, "the span is not in the store"),
                }
            }
            "/live/trace" => self.trace_file(parts),
            "/live/approvals" => self.approvals().await,
            "/live/health" => json_response(&self.health_json()),
            _ => problem(StatusCode::NOT_FOUND, "the live view is at /"),
        })
    }

    fn stream(self: &Arc<Self>, parts: &Parts, run: Option<SelectedRun>) -> LiveResponse {
        let Ok(slot) = Arc::clone(&self.clients).try_acquire_owned() else {
            let text = "too many pages are open; close one of them";
            return problem(StatusCode::SERVICE_UNAVAILABLE, text);
        };
        let abort = parts.extensions.get::<Abort>().map(|abort| Arc::clone(&abort.0));
        let mut response = Response::new(self.events(position(parts), run, slot, abort));
        let event_stream = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, event_stream);
        response
    }

    fn trace_file(&self, parts: &Parts) -> LiveResponse {
        let traces = match (selected(parts), query(parts, "trace")) {
            (Some(run), _) => self.store().traces_of(&run.key),
            (None, Some(id)) => TraceId::from_hex(&id).into_iter().collect(),
            (None, None) => Vec::new(),
        };
        let Some(first) = traces.first() else {
            return problem(StatusCode::NOT_FOUND, "the run is not in the store");
        };
        let mut response = raw_json(self.traces_json(&traces));
        let disposition = format!("attachment; filename=\"trace-{first}.json\"");
        if let Ok(disposition) = HeaderValue::from_str(&disposition) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
        }
        response
    }

    async fn approvals(&self) -> LiveResponse {
        match self.application().list().await {
            Ok(approvals) => {
                let approvals: Vec<ApprovalJson> =
                    approvals.into_iter().map(ApprovalJson::from).collect();
                json_response(&json!({ "approvals": approvals }))
            }
            Err(error) => problem(StatusCode::BAD_GATEWAY, &error),
        }
    }

    /// Executes an action of the page.
    async fn act(&self, path: &str, parts: &Parts, body: &Bytes) -> LiveResponse {
        let content_type = parts.headers.get(header::CONTENT_TYPE);
        // A form of another site cannot send this type without a preflight request.
        if content_type.is_none_or(|value| !value.as_bytes().starts_with(b"application/json")) {
            let text = "expected content-type: application/json";
            return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        }
        let application = self.application();
        let result = match path {
            "/live/approvals" => match serde_json::from_slice::<DecisionRequest>(body) {
                Ok(request) => {
                    let by = super::row::cut(request.by.trim(), 200);
                    let by = if by.is_empty() { "live view".to_owned() } else { by };
                    let decision = Decision { id: request.id, is_approved: request.approved, by };
                    application.decide_now(decision).await
                }
                Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
            },
            "/live/cancel" => match serde_json::from_slice::<CancelRequest>(body) {
                Ok(request) => application.cancel_now(request.run).await,
                Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
            },
            _ => return problem(StatusCode::NOT_FOUND, "no such action"),
        };
        match result {
            Some(Ok(())) => json_response(&json!({ "ok": true })),
            Some(Err(error)) => problem(StatusCode::CONFLICT, &error),
            None => problem(
                StatusCode::NOT_IMPLEMENTED,
                "the application registered no handler, see Telemetry::live_application",
            ),
        }
    }
}

/// Adds the headers of every response.
fn with_policy(mut response: LiveResponse) -> LiveResponse {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let cache = response.headers_mut().entry(header::CACHE_CONTROL);
    cache.or_insert(HeaderValue::from_static("no-store"));
    response
}

fn position(parts: &Parts) -> Position {
    let last = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let last = last.and_then(Position::parse);
    last.or_else(|| Position::parse(&query(parts, "after")?)).unwrap_or_default()
}

/// Returns the run of a request. With `texts` its spans have the texts in which the page searches.
fn selected(parts: &Parts) -> Option<SelectedRun> {
    let key = query(parts, "run").filter(|key| !key.is_empty())?;
    Some(SelectedRun { key, has_texts: query(parts, "texts").is_some() })
}

fn json_response(value: &Value) -> LiveResponse {
    raw_json(value.to_string())
}

fn raw_json(json: String) -> LiveResponse {
    let mut response = Response::new(LiveBody::from(Bytes::from(json)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Returns an error as JSON: `{"error": …}`.
pub(super) fn problem(status: StatusCode, text: &str) -> LiveResponse {
    let mut response = json_response(&json!({ "error": text }));
    *response.status_mut() = status;
    response
}

fn reject(denied: Denied, parts: &Parts) -> LiveResponse {
    match denied {
        Denied::Host => problem(
            StatusCode::FORBIDDEN,
            "the host of this request is not permitted; set OTEL_HUB_LIVE_HOSTS",
        ),
        Denied::Origin => problem(StatusCode::FORBIDDEN, "a page of another site has no access"),
        Denied::Token if matches!(parts.uri.path(), "/" | "") => {
            assets::sign_in(query(parts, "token").is_some())
        }
        Denied::Token => problem(
            StatusCode::UNAUTHORIZED,
            "this view requires its token; open the URL that the program printed",
        ),
    }
}
