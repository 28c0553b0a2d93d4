//! HTTP client of a server. Counts the requests; each error names a remedy.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use crate::error_text::root_cause;
use crate::security::{API_TOKEN, Secret, Secrets};
use crate::terminal::{Exit, Problem};
use secrecy::ExposeSecret as _;

/// Address of the server.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// URL of the server.
    #[arg(long, env = "HUB_URL", default_value = "http://127.0.0.1:9002", global = true)]
    pub url: Url,
}

/// Runs a client command.
///
/// # Errors
/// The error of the command, or a secret that cannot be read.
pub fn main(
    server: Server,
    command: impl AsyncFnOnce(Api) -> Result<Exit, Problem>,
) -> Result<Exit, Problem> {
    let token = Secrets::from_environment().map_err(Problem::usage)?.api_tokens.into_iter().next();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { command(Api::new(server.url, token)?).await })
}

/// Client of a server's API.
#[derive(Debug)]
pub struct Api {
    http: hub_otel::http::Client,
    base: Url,
    token: Option<Secret>,
    sent: Mutex<Sent>,
}

/// Requests by method and route.
pub type Sent = BTreeMap<(Method, &'static str), u64>;

/// Failure of a request.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The HTTP client could not be created.
    #[error("cannot create the HTTP client")]
    Client(#[source] reqwest::Error),
    /// No response.
    #[error(
        "no response from {url}: {reason}; is the server running? `orchestrator serve` starts one"
    )]
    Unreachable {
        /// URL of the server.
        url: Url,
        /// Text of the root cause.
        reason: String,
    },
    /// An error response.
    #[error("{message} ({}, {code}){}", status.as_u16(), remedy(*status))]
    Rejected {
        /// Status of the response.
        status: StatusCode,
        /// Stable identifier of the error.
        code: String,
        /// Description of the error.
        message: String,
    },
    /// A response that is not of this API.
    #[error("unexpected response from {url}: {what}")]
    Foreign {
        /// URL of the request.
        url: Url,
        /// The missing part of the response.
        what: String,
    },
}

fn remedy(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED => {
            format!("; set {API_TOKEN} or {API_TOKEN}_FILE to the token of the server")
        }
        _ => String::new(),
    }
}

impl CallError {
    /// Returns whether a retry can succeed: the server drains, is overloaded, or closed the
    /// connection.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Rejected { status, .. } => status.is_server_error(),
            Self::Client(_) | Self::Foreign { .. } => false,
        }
    }
}

impl Api {
    /// Creates a client of the server at `url`.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(url: Url, token: Option<Secret>) -> Result<Self, CallError> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(CallError::Client)?;
        Ok(Self { http: http.into(), base: url, token, sent: Mutex::default() })
    }

    /// Creates a client of another server, with the same token.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn of(&self, url: Url) -> Result<Self, CallError> {
        Self::new(url, self.token.clone())
    }

    /// Triggers a run. A repeated `key` returns the same run.
    ///
    /// # Errors
    /// [`CallError`].
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
        let response = self.send(request).await?;
        self.text(&response, "workflowRunId")
    }

    /// Fetches a route. `name` replaces its parameter, if it has one.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get(&self, route: &'static str, name: &str) -> Result<Value, CallError> {
        self.send(self.request(Method::GET, route, name)?).await
    }

    /// Posts a body to a route.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post(
        &self,
        route: &'static str,
        name: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        self.send(self.request(Method::POST, route, name)?.json(body)).await
    }

    /// Fetches the first `max` entries of a paged list. The last segment of the route is the key of
    /// the entries.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(
        &self,
        route: &'static str,
        name: &str,
        query: &[(&str, &str)],
        max: usize,
    ) -> Result<Vec<Value>, CallError> {
        let key = route.rsplit('/').next().unwrap_or(route);
        let mut found = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let request = self.request(Method::GET, route, name)?.query(query);
            let request = request
                .query(&[("limit", "100")])
                .query(&cursor.map(|it| ("cursor", it)).as_slice());
            let mut page = self.send(request).await?;
            if let Value::Array(entries) = page[key].take() {
                found.extend(entries);
            }
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() || found.len() >= max {
                return Ok(found);
            }
        }
    }

    /// Number of requests sent, by method and route.
    pub fn sent(&self) -> Sent {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a string field of a response.
    ///
    /// # Errors
    /// [`CallError::Foreign`] if the field is missing.
    pub fn text(&self, response: &Value, key: &str) -> Result<String, CallError> {
        let missing = || CallError::Foreign { url: self.base.clone(), what: format!("no `{key}`") };
        response[key].as_str().map(str::to_owned).ok_or_else(missing)
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
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        })
    }

    async fn send(&self, request: hub_otel::http::RequestBuilder) -> Result<Value, CallError> {
        let unreachable =
            |error| CallError::Unreachable { url: self.base.clone(), reason: root_cause(error) };
        let response = request.send().await.map_err(unreachable)?;
        let (status, url) = (response.status(), response.url().clone());
        let bytes = response.bytes().await.map_err(unreachable)?;
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return match value {
                Value::Null => Err(CallError::Foreign { url, what: "no JSON".into() }),
                value => Ok(value),
            };
        }
        let field = |key: &str, default: &str| value[key].as_str().unwrap_or(default).to_owned();
        let message = field("error", status.canonical_reason().unwrap_or("rejected"));
        Err(CallError::Rejected { status, code: field("code", "unknown"), message })
    }
}
