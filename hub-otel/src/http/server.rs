//! HTTP server spans and metrics: [`ServerLayer`], a tower layer for an axum router.

mod attributes;
mod body;
mod forwarded;
mod in_flight;
mod metrics;
mod service;
mod settings;

pub use crate::http::server::body::ServerBody;
pub use crate::http::server::service::{ServerFuture, ServerService};

use crate::Telemetry;
use crate::http::path_glob::PathGlob;
use crate::http::server::settings::ServerSettings;
use crate::http::trust::Trust;
use crate::instrumentation::InstanceSource;
use http_types::HeaderName;
use std::sync::Arc;

/// A span and two metrics per request, by the stable semantic conventions (HTTP spans, "HTTP
/// server"; HTTP metrics, "HTTP server").
///
/// The span is named after the template of the route (`GET /users/{id}`), or after the method if no
/// route matches. It ends when the body of the response ends: sent, failed, or abandoned by the
/// client (`error.type` = `cancelled`). A handler that panics ends it with `error.type` = `panic`,
/// and the panic continues. Query strings are never recorded, headers only if they are named.
///
/// ```
/// use axum::{Router, routing::get};
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "hello" }))
///     .layer(hub_otel::http::ServerLayer::new().exclude("/health/*"));
/// ```
///
/// Add it to the router after the routes, and after the layers that respond by themselves (limits,
/// panic handlers, authentication): it is then outside of them and records what the client
/// receives. A layer around the router sees no route template.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    settings: Arc<ServerSettings>,
    source: InstanceSource,
}

impl ServerLayer {
    /// Creates a layer with the defaults: no path is excluded, [`Trust::Trace`], no header is
    /// recorded.
    pub fn new() -> Self {
        Self { settings: Arc::default(), source: InstanceSource::from_context() }
    }

    /// Excludes the paths that `pattern` matches; `*` matches any characters, slashes included. An
    /// excluded request has no span and no metric, and its database and client calls start no
    /// traces.
    ///
    /// ```
    /// let layer = hub_otel::http::ServerLayer::new().exclude("/health/*").exclude("/metrics");
    /// # let _ = layer;
    /// ```
    pub fn exclude(self, pattern: &str) -> Self {
        self.with(|settings| settings.excluded.push(PathGlob::new(pattern)))
    }

    /// Records the template of the route instead of the path, for paths that contain a secret.
    ///
    /// ```
    /// // `url.path` = `/hooks/{token}`.
    /// let layer = hub_otel::http::ServerLayer::new().redact_path("/hooks/*");
    /// # let _ = layer;
    /// ```
    pub fn redact_path(self, pattern: &str) -> Self {
        self.with(|settings| settings.redacted.push(PathGlob::new(pattern)))
    }

    /// Sets the propagation headers that are accepted from callers. Defaults to [`Trust::Trace`].
    ///
    /// ```
    /// use hub_otel::http::{ServerLayer, Trust};
    ///
    /// let public = ServerLayer::new().trust(Trust::Link);
    /// # let _ = public;
    /// ```
    pub fn trust(self, trust: Trust) -> Self {
        self.with(|settings| settings.trust = trust)
    }

    /// Records a request header as `http.request.header.<name>`, and `user-agent` as
    /// `user_agent.original`. By default none is recorded, because headers contain secrets.
    ///
    /// ```
    /// use axum::http::{HeaderName, header};
    ///
    /// let layer = hub_otel::http::ServerLayer::new()
    ///     .request_header(header::USER_AGENT)
    ///     .request_header(HeaderName::from_static("x-request-id"));
    /// # let _ = layer;
    /// ```
    pub fn request_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.request_headers.push(name))
    }

    /// Records a response header as `http.response.header.<name>`.
    ///
    /// ```
    /// use axum::http::header;
    ///
    /// let layer = hub_otel::http::ServerLayer::new().response_header(header::CONTENT_TYPE);
    /// # let _ = layer;
    /// ```
    pub fn response_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.response_headers.push(name))
    }

    /// Records `url.scheme` as `https`: for servers behind a proxy that terminates TLS and sends no
    /// `Forwarded` or `X-Forwarded-Proto` header.
    ///
    /// ```
    /// let layer = hub_otel::http::ServerLayer::new().behind_tls();
    /// # let _ = layer;
    /// ```
    pub fn behind_tls(self) -> Self {
        self.with(|settings| settings.behind_tls = true)
    }

    /// Sets the number of proxies in front of this server that are trusted. Defaults to 0.
    ///
    /// The entry that the outermost of them wrote to `Forwarded` (RFC 7239), else to
    /// `X-Forwarded-For`, `-Proto` and `-Host`, becomes `client.address`, `url.scheme`,
    /// `server.address` and `server.port`. Entries further to the left are ignored: they come from
    /// the client.
    ///
    /// ```
    /// let layer = hub_otel::http::ServerLayer::new().trusted_proxies(1);
    /// # let _ = layer;
    /// ```
    pub fn trusted_proxies(self, count: usize) -> Self {
        self.with(|settings| settings.trusted_proxies = count)
    }

    /// Records into `telemetry` instead of the installed one: for tests, and for programs with
    /// several.
    ///
    /// ```
    /// # fn run(telemetry: &hub_otel::Telemetry) {
    /// let layer = hub_otel::http::ServerLayer::new().telemetry(telemetry);
    /// # let _ = layer; }
    /// ```
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.source = InstanceSource::of(telemetry.instance());
        self
    }

    fn with(mut self, change: impl FnOnce(&mut ServerSettings)) -> Self {
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
        ServerService::new(inner, self.settings.clone(), self.source.clone())
    }
}
