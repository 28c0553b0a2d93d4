//! The command line's way to a server: every request is counted, every failure says what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::Exit;
use crate::security::{API_TOKEN, Secret, Secrets};

/// Which server is asked.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// The server's URL.
    #[arg(long, env = "HUB_URL", default_value = "http://127.0.0.1:9002", global = true)]
    pub url: Url,
}

/// Runs a command that is a client of a server.
pub(super) fn main<F>(server: Server, command: F) -> Exit
where
    F: AsyncFnOnce(Api) -> Result<Exit, Box<dyn std::error::Error>>,
{
    let token = match Secrets::from_environment() {
        Ok(secrets) => secrets.api_tokens.into_iter().next(),
        Err(error) => return fail(&error, Exit::Usage),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, Exit::Failed),
    };
    let done = runtime.block_on(async { command(Api::new(server.url, token)?).await });
    done.unwrap_or_else(|error| fail(&*error, Exit::Failed))
}

/// Says what failed, with its causes, on stderr.
fn fail(error: &dyn std::error::Error, exit: Exit) -> Exit {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    eprintln!("{text}");
    exit
}

/// A server's API.
#[derive(Debug)]
pub struct Api {
    http: hub_otel::http::Client,
    base: Url,
    token: Option<Secret>,
    sent: Mutex<BTreeMap<(String, &'static str), u64>>,
}

/// Why a server did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// Nobody answered.
    #[error("no answer from {url}: {reason}; is the server running? `orchestrator serve` starts one")]
    Unreachable {
        /// The server's URL.
        url: Url,
        /// The innermost cause.
        reason: String,
    },
    /// An answer that says no.
    #[error("{}", Answer { status: *status, message, code })]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// The stable word of the error body.
        code: String,
        /// What it says.
        message: String,
    },
    /// An answer that is none of this API's.
    #[error("{url} answered something that is not this API's: {what}")]
    Foreign {
        /// The URL that was asked.
        url: Url,
        /// What is missing.
        what: String,
    },
}

/// One request.
struct Call<'a> {
    method: Method,
    path: &'a [&'a str],
    route: &'static str,
    query: &'a [(&'a str, String)],
    body: Option<&'a Value>,
    idempotency_key: Option<&'a str>,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a [&'a str], route: &'static str) -> Self {
        Self { method, path, route, query: &[], body: None, idempotency_key: None }
    }
}

struct Answer<'a> {
    status: StatusCode,
    message: &'a str,
    code: &'a str,
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.message, self.status.as_u16(), self.code)?;
        match self.status {
            StatusCode::UNAUTHORIZED => write!(f, "; set {API_TOKEN} or {API_TOKEN}_FILE to the server's"),
            _ => Ok(()),
        }
    }
}

impl CallError {
    /// Whether another attempt may go better: the server drains, is overloaded, or hung up.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Client(_) | Self::Foreign { .. } => false,
        }
    }
}

impl Api {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(url: Url, token: Option<Secret>) -> Result<Self, CallError> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(CallError::Client)?;
        Ok(Self { http: http.into(), base: url, token, sent: Mutex::default() })
    }

    /// Asks for a run; the same `key` twice is the same run.
    ///
    /// # Errors
    /// [`CallError`]; so do all that follow.
    pub async fn trigger(
        &self,
        workflow: &str,
        context: &Map<String, Value>,
        key: Option<&str>,
    ) -> Result<String, CallError> {
        let body = json!({ "contextJson": context });
        let path = ["api", "workflows", workflow, "trigger"];
        let mut call = Call::new(Method::POST, &path, "/api/workflows/{name}/trigger");
        call.body = Some(&body);
        call.idempotency_key = key;
        let answer = self.call(call).await?;
        self.text(&answer, "workflowRunId")
    }

    /// One run, with its nodes.
    pub async fn run(&self, id: &str) -> Result<Value, CallError> {
        self.call(Call::new(Method::GET, &["api", "runs", id], "/api/runs/{id}")).await
    }

    /// A page of a workflow's runs, newest first.
    pub async fn runs(&self, workflow: &str, query: &[(&str, String)]) -> Result<Value, CallError> {
        let path = ["api", "workflows", workflow, "runs"];
        self.call(Call { query, ..Call::new(Method::GET, &path, "/api/workflows/{name}/runs") }).await
    }

    /// Every workflow.
    pub async fn workflows(&self) -> Result<Value, CallError> {
        self.call(Call::new(Method::GET, &["api", "workflows"], "/api/workflows")).await
    }

    /// One workflow.
    pub async fn workflow(&self, name: &str) -> Result<Value, CallError> {
        self.call(Call::new(Method::GET, &["api", "workflows", name], "/api/workflows/{name}")).await
    }

    /// A page of the approvals.
    pub async fn approvals(&self, query: &[(&str, String)]) -> Result<Value, CallError> {
        self.call(Call { query, ..Call::new(Method::GET, &["api", "approvals"], "/api/approvals") }).await
    }

    /// Answers an approval.
    pub async fn decide(&self, id: &str, body: &Value) -> Result<Value, CallError> {
        let path = ["api", "approvals", id, "decision"];
        self.call(Call { body: Some(body), ..Call::new(Method::POST, &path, "/api/approvals/{id}/decision") })
            .await
    }

    /// The requests that were sent so far, by method and route.
    pub fn sent(&self) -> BTreeMap<(String, &'static str), u64> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A text of an answer.
    ///
    /// # Errors
    /// [`CallError::Foreign`] when it is not there.
    pub fn text(&self, answer: &Value, key: &str) -> Result<String, CallError> {
        let found = answer.get(key).and_then(Value::as_str).map(str::to_owned);
        found.ok_or_else(|| CallError::Foreign { url: self.base.clone(), what: format!("no `{key}`") })
    }

    async fn call(&self, call: Call<'_>) -> Result<Value, CallError> {
        let Call { method, path, route, query, body, idempotency_key } = call;
        let mut url = self.base.clone();
        // Each segment is escaped: an id from the command line cannot reach another route.
        let extended = url.path_segments_mut().map(|mut segments| {
            segments.pop_if_empty().extend(path);
        });
        if extended.is_err() {
            return Err(CallError::Foreign { url, what: "not an http URL".into() });
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method.clone(), url.clone()).template(route);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        *self
            .sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((method.to_string(), route))
            .or_default() += 1;
        let unreachable = |error| CallError::Unreachable { url: self.base.clone(), reason: innermost(error) };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return match value {
                Value::Null => Err(CallError::Foreign { url, what: "no JSON".into() }),
                value => Ok(value),
            };
        }
        let text = |key: &str, otherwise: &str| value[key].as_str().unwrap_or(otherwise).to_owned();
        let message = text("error", status.canonical_reason().unwrap_or("refused"));
        Err(CallError::Refused { status, code: text("code", "unknown"), message })
    }
}

/// The innermost cause says most: "connection refused" rather than "error sending request".
pub fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
