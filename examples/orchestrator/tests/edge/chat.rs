//! A chat's webhook endpoint that answers as it is told, and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// How to answer one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With a status.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RetryAfter(u64),
    /// 429 with Discord's body instead of the header.
    RetryAfterBody(f64),
    /// 302 to somewhere.
    Redirect(String),
    /// Never.
    Hang,
}

/// One request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// The endpoint; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Vec<Answer>>,
    received: Mutex<Vec<Received>>,
}

impl Chat {
    /// An endpoint that gives these answers in turn, and 200 from then on.
    pub(crate) async fn start(script: Vec<Answer>) -> Self {
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

    /// The URL of a webhook here, whose path is a secret.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/services/T0/B0/very-secret-path", self.address)
    }

    /// What came in so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    shared.received.lock().unwrap().push(Received { path: uri.path().to_owned(), body });
    let next = shared.script.lock().unwrap().pop();
    match next.unwrap_or(Answer::Status(200)) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::RetryAfter(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())])
                .into_response()
        }
        Answer::RetryAfterBody(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            axum::Json(serde_json::json!({ "retry_after": seconds })),
        )
            .into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
    }
}
