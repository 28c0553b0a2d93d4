//! Webhook endpoint of a chat with scripted replies. Records the requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// Scripted reply to one request.
#[derive(Debug, Clone)]
pub(crate) enum ScriptedReply {
    /// A status.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RetryAfter(u64),
    /// 429 with Discord's body instead of the header.
    RetryAfterBody(f64),
    /// A redirect.
    Redirect(String),
    /// No reply.
    Hang,
}

/// One received request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

/// The endpoint. Stops when dropped.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Vec<ScriptedReply>>,
    received: Mutex<Vec<Received>>,
}

impl Chat {
    /// Starts an endpoint with these replies, then 200.
    pub(crate) async fn start(script: Vec<ScriptedReply>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().rev().collect()),
            ..Shared::default()
        });
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, shared, task }
    }

    /// URL of the webhook. Its path is a secret.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/services/T0/B0/very-secret-path", self.address)
    }

    /// The received requests.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    shared.received.lock().unwrap().push(Received { path: uri.path().to_owned(), body, headers });
    let next = shared.script.lock().unwrap().pop();
    match next.unwrap_or(ScriptedReply::Status(200)) {
        ScriptedReply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        ScriptedReply::RetryAfter(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())])
                .into_response()
        }
        ScriptedReply::RetryAfterBody(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            axum::Json(serde_json::json!({ "retry_after": seconds })),
        )
            .into_response(),
        ScriptedReply::Redirect(to) => {
            (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
        }
        ScriptedReply::Hang => std::future::pending().await,
    }
}
