//! The command line's way to a server: every request is counted, every failure says what to do.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::{Exit, Problem};
use crate::cause::innermost;
use crate::security::{API_TOKEN, Secret, Secrets};

/// Which server is asked.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// The server's URL.
    #[arg(long, env = "HUB_URL", default_value = "http://127.0.0.1:9002", global = true)]
    pub url: Url,
}

/// Runs a command that is a client of a server.
pub(super) fn main(
    server: Server,
    command: impl AsyncFnOnce(Api) -> Result<Exit, Problem>,
) -> Result<Exit, Problem> {
    let token = Secrets::from_environment().map_err(Problem::usage)?.api_tokens.into_iter().next();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { command(Api::new(server.url, token)?).await })
}

/// A server's API.
#[derive(Debug)]
pub struct Api {
    http: hub_otel::http::Client,
    base: Url,
    token: Option<Secret>,
    sent: Mutex<Sent>,
}

/// Requests by method and route.
pub type Sent = BTreeMap<(Method, &'static str), u64>;

/// Why a server did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// Nobody answered.
    #[error(
        "no answer from {url}: {reason}; is the server running? `orchestrator serve` starts one"
    )]
    Unreachable {
        /// The server's URL.
        url: Url,
        /// The innermost cause.
        reason: String,
    },
    /// An answer that says no.
    #[error("{message} ({}, {code}){}", status.as_u16(), remedy(*status))]
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

fn remedy(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED => {
            format!("; set {API_TOKEN} or {API_TOKEN}_FILE to the server's")
        }
        _ => String::new(),
    }
}

impl CallError {
    /// Whether another attempt may go better: the server drains, is overloaded, or hung up.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => status.is_server_error(),
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
        let route = "/api/workflows/{name}/trigger";
        let mut request =
            self.request(Method::POST, route, workflow)?.json(&json!({ "contextJson": context }));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.send(request).await?;
        self.text(&answer, "workflowRunId")
    }

    /// What stands at a route whose variable, where it has one, is `name`.
    pub async fn get(&self, route: &'static str, name: &str) -> Result<Value, CallError> {
        self.send(self.request(Method::GET, route, name)?).await
    }

    /// Posts a body to a route.
    pub async fn post(
        &self,
        route: &'static str,
        name: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        self.send(self.request(Method::POST, route, name)?.json(body)).await
    }

    /// The first `most` entries of a paged list, which is called as its route ends.
    pub async fn list(
        &self,
        route: &'static str,
        name: &str,
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<Value>, CallError> {
        let key = route.rsplit('/').next().unwrap_or(route);
        let mut found = Vec::new();
        let mut offset = Value::from(0);
        while offset.is_u64() && found.len() < most {
            let request = self.request(Method::GET, route, name)?.query(query);
            let mut page = self
                .send(request.query(&[("limit", "100"), ("offset", offset.to_string().as_str())]))
                .await?;
            if let Value::Array(entries) = page[key].take() {
                found.extend(entries);
            }
            offset = page["nextOffset"].take();
        }
        Ok(found)
    }

    /// The requests that were sent so far.
    pub fn sent(&self) -> Sent {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A text of an answer.
    ///
    /// # Errors
    /// [`CallError::Foreign`] when it is not there.
    pub fn text(&self, answer: &Value, key: &str) -> Result<String, CallError> {
        let missing = || CallError::Foreign { url: self.base.clone(), what: format!("no `{key}`") };
        answer[key].as_str().map(str::to_owned).ok_or_else(missing)
    }

    fn request(
        &self,
        method: Method,
        route: &'static str,
        name: &str,
    ) -> Result<hub_otel::http::RequestBuilder, CallError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => {
                let parts = route
                    .split('/')
                    .skip(1)
                    .map(|part| if part.starts_with('{') { name } else { part });
                path.pop_if_empty().extend(parts);
            }
            Err(()) => {
                return Err(CallError::Foreign {
                    url: self.base.clone(),
                    what: "not an http URL".into(),
                });
            }
        }
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        *sent.entry((method.clone(), route)).or_default() += 1;
        drop(sent);
        let request = self.http.request(method, url).template(route);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        })
    }

    async fn send(&self, request: hub_otel::http::RequestBuilder) -> Result<Value, CallError> {
        let unreachable =
            |error| CallError::Unreachable { url: self.base.clone(), reason: innermost(error) };
        let answer = request.send().await.map_err(unreachable)?;
        let (status, url) = (answer.status(), answer.url().clone());
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
