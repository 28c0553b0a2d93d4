//! HTTP server spans and metrics: [`ServerLayer`], one line on an axum router.

mod attributes;
mod body;
mod forwarded;
mod in_flight;
mod metrics;
mod service;

pub use crate::http::server::body::ServerBody;
pub use crate::http::server::service::{ServerFuture, ServerService};

use crate::Telemetry;
use crate::http::path_glob::Pattern;
use crate::http::trust::Trust;
use crate::instrumentation::InstanceSource;
use http_types::HeaderName;
use std::sync::Arc;

/// A span and two metrics per request, by the stable semantic conventions (HTTP spans, "HTTP server"; HTTP metrics,
/// "HTTP server").
///
/// The span is named after the route's template (`GET /users/{id}`), a request that matches no route after its method
/// alone. It ends when the response's body ends: sent, failed, or left by the client (`error.type` = `cancelled`). A
/// handler that panics ends it with `error.type` = `panic` and goes on unwinding. Query strings are never recorded,
/// headers only when named.
///
/// ```
/// use axum::{Router, routing::get};
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "hello" }))
///     .layer(hub_otel::http::ServerLayer::new().exclude("/health/*"));
/// ```
///
/// Put it on the router, after the routes and outside every other layer that answers by itself (limits, panic handlers,
/// authentication), so that it sees what the client sees. What the router does not see (a layer around the router) has
/// no template.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    settings: Arc<Settings>,
    target: InstanceSource,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    excluded: Vec<Pattern>,
    hidden: Vec<Pattern>,
    trust: Trust,
    request_headers: Vec<HeaderName>,
    response_headers: Vec<HeaderName>,
    https: bool,
    proxies: usize,
}

impl ServerLayer {
    /// The defaults: nothing is left out, callers are believed about their trace and not about baggage, no header is
    /// recorded.
    pub fn new() -> Self {
        Self { settings: Arc::default(), target: InstanceSource::from_context() }
    }

    /// Leaves out the paths that `pattern` matches: no span, no metric, and no traces of their database and client calls.
    /// `*` stands for any characters, slashes included: `/health/*`.
    pub fn exclude(self, pattern: &str) -> Self {
        self.with(|settings| settings.excluded.push(Pattern::new(pattern)))
    }

    /// Records the route's template in place of the path where the path itself is a secret: `/hooks/*`.
    pub fn redact_path(self, pattern: &str) -> Self {
        self.with(|settings| settings.hidden.push(Pattern::new(pattern)))
    }

    /// How far callers are believed about the trace that their request belongs to.
    pub fn trust(self, trust: Trust) -> Self {
        self.with(|settings| settings.trust = trust)
    }

    /// Records a request header as `http.request.header.<name>` (`user-agent` as `user_agent.original`). Headers carry
    /// secrets: none is recorded unless it is named here.
    pub fn request_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.request_headers.push(name))
    }

    /// Records a response header as `http.response.header.<name>`.
    pub fn response_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.response_headers.push(name))
    }

    /// Says that clients speak TLS although this process does not see it: `url.scheme` is `https`.
    pub fn behind_tls(self) -> Self {
        self.with(|settings| settings.https = true)
    }

    /// Believes the `count` proxies before this server about whom they speak for: `Forwarded` (RFC 7239), else
    /// `X-Forwarded-For`, `-Proto` and `-Host`, become `client.address`, `url.scheme`, `server.address` and `server.port`.
    /// What stands further left in these headers was written by strangers and is not read. Default: 0, nobody is
    /// believed.
    pub fn trusted_proxies(self, count: usize) -> Self {
        self.with(|settings| settings.proxies = count)
    }

    /// Records into this telemetry where it is not the installed one: for tests, and for programs with several.
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.target = telemetry
            .instance()
            .cloned()
            .map_or_else(InstanceSource::default, InstanceSource::explicit);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl Default for ServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> tower::Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerService::new(inner, self.settings.clone(), self.target.clone())
    }
}

impl Settings {
    fn is_excluded(&self, path: &str) -> bool {
        self.excluded.iter().any(|pattern| pattern.matches(path))
    }

    fn is_hidden(&self, path: &str) -> bool {
        self.hidden.iter().any(|pattern| pattern.matches(path))
    }
}
