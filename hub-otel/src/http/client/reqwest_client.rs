//! [`Client`]: a reqwest client whose requests are traced.

pub(super) mod redirect;
mod request;

pub use crate::http::client::reqwest_client::request::RequestBuilder;

use crate::Telemetry;
use crate::http::client::reqwest_attempt::{start, trace};
use crate::http::client::reqwest_client::redirect::Replay;
use crate::http::client::settings::{CallOptions, ClientSettings};
use crate::instrumentation::InstanceSource;
use reqwest::IntoUrl;
use reqwest::Method;
use reqwest::Request;
use reqwest::Response;
use std::sync::Arc;
use std::time::Instant;

/// The redirect limit of [`Client::new`], which is reqwest's.
const DEFAULT_MAX_REDIRECTS: u32 = 10;

/// A reqwest client whose requests are traced: a span and `http.client.request.duration` per
/// request on the wire, and W3C trace headers (HTTP spans, "HTTP client span"; HTTP metrics,
/// "HTTP client").
///
/// ```
/// # async fn run() -> Result<(), reqwest::Error> {
/// let http = hub_otel::http::Client::new();
/// let users = http.get("https://users.internal/api/users").send().await?.text().await?;
/// # let _ = users; Ok(()) }
/// ```
///
/// **Paths are redacted by default.** Of `https://hooks.slack.com/services/T0/B0/x?y=z` the span
/// shows `https://hooks.slack.com/REDACTED`: the path of a webhook is its password, and a URL does
/// not show which path is one. Name the hosts whose paths may be recorded ([`Client::show_path`]),
/// or give the request a template ([`RequestBuilder::template`]). Query strings, fragments and
/// credentials are never recorded.
///
/// The span ends with the head of the response; the body is read by the caller after that. Each
/// redirect that this client follows is a request with a span and `http.request.resend_count`.
///
/// [`Client::build`] takes reqwest's settings. A client that was built before
/// (`Client::from(client)`) keeps its own redirect policy. The redirects that it follows by itself
/// share one span. It is never given baggage, because reqwest sends the headers of the first
/// request to the destinations of redirects too.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    /// The inner client follows no redirect by itself.
    has_own_policy: bool,
    settings: Arc<ClientSettings>,
    source: InstanceSource,
}

impl Client {
    /// Creates a client with reqwest's defaults. Up to ten redirects are followed, each with a
    /// span.
    ///
    /// # Panics
    /// If TLS cannot be set up, as `reqwest::Client::new`.
    pub fn new() -> Self {
        // If it fails, `reqwest::Client::new` panics with the cause.
        Self::build(reqwest::Client::builder())
            .unwrap_or_else(|_| Self::from(reqwest::Client::new()))
    }

    /// Creates a client with reqwest's settings, except for their redirect policy: see
    /// [`Client::follow_redirects`].
    ///
    /// ```
    /// # fn run() -> Result<(), reqwest::Error> {
    /// let settings = reqwest::Client::builder().user_agent("scanner/1");
    /// let http = hub_otel::http::Client::build(settings)?.follow_redirects(0);
    /// # let _ = http; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `reqwest::ClientBuilder::build`: TLS or the resolver cannot be set up.
    pub fn build(settings: reqwest::ClientBuilder) -> Result<Self, reqwest::Error> {
        let inner = settings.redirect(redirect::policy()).build()?;
        let client = Self { has_own_policy: true, ..Self::from(inner) };
        Ok(client.follow_redirects(DEFAULT_MAX_REDIRECTS))
    }

    /// Follows up to `limit` redirects (default: ten), each with a span. With `0` a redirect is
    /// returned as the response.
    ///
    /// Methods, bodies and credentials change as in reqwest. One redirect too many is reqwest's
    /// error. A client that was built before follows redirects by itself, unless it was built with
    /// `redirect::Policy::none()`; then this setting applies, and a redirect beyond the limit is
    /// returned as the response.
    ///
    /// ```
    /// let http = hub_otel::http::Client::new().follow_redirects(3);
    /// # let _ = http;
    /// ```
    pub fn follow_redirects(mut self, limit: u32) -> Self {
        Arc::make_mut(&mut self.settings).max_redirects = limit;
        self
    }

    /// Records the paths of the URLs of `host`, which must not be secret.
    ///
    /// ```
    /// // `url.full` = `https://api.internal/users/7`, not `https://api.internal/REDACTED`.
    /// let http = hub_otel::http::Client::new().show_path("api.internal");
    /// # let _ = http;
    /// ```
    pub fn show_path(mut self, host: &str) -> Self {
        Arc::make_mut(&mut self.settings).shown_hosts.push(host.into());
        self
    }

    /// Sends the identity of the run (`workflow.id`, `workflow.run.id`) as W3C baggage to `host`;
    /// `*.svc.local` matches every name below `svc.local`. By default it is sent to no host. It is
    /// not sent if OTEL_PROPAGATORS leaves `baggage` out.
    ///
    /// Has no effect except a warning on a client that was built before: it may follow redirects by
    /// itself, and would send the baggage to hosts that are not allowed.
    ///
    /// ```
    /// let http = hub_otel::http::Client::new().baggage_to("*.svc.cluster.local");
    /// # let _ = http;
    /// ```
    pub fn baggage_to(mut self, host: &str) -> Self {
        if !self.has_own_policy {
            tracing::warn!(
                "no baggage is sent to {host} by a client that may follow redirects by itself: \
                 create it with `hub_otel::http::Client::build`"
            );
            return self;
        }
        Arc::make_mut(&mut self.settings).baggage.push(host);
        self
    }

    /// Sends no propagation headers (`traceparent`, `tracestate`, `baggage`), for services of other
    /// organizations. Spans and metrics are recorded as before.
    ///
    /// ```
    /// let chats = hub_otel::http::Client::new().without_propagation();
    /// # let _ = chats;
    /// ```
    pub fn without_propagation(mut self) -> Self {
        Arc::make_mut(&mut self.settings).no_propagation = true;
        self
    }

    /// Records into `telemetry` instead of the installed one: for tests, and for programs with
    /// several.
    ///
    /// ```
    /// # fn run(telemetry: &hub_otel::Telemetry) {
    /// let http = hub_otel::http::Client::new().telemetry(telemetry);
    /// # let _ = http; }
    /// ```
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.source = InstanceSource::of(telemetry.instance());
        self
    }

    /// Returns the inner client, whose requests are not traced.
    pub fn untraced(&self) -> &reqwest::Client {
        &self.inner
    }

    /// Builds a GET request.
    pub fn get<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Builds a POST request.
    pub fn post<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Builds a PUT request.
    pub fn put<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Builds a PATCH request.
    pub fn patch<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Builds a DELETE request.
    pub fn delete<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Builds a HEAD request.
    pub fn head<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Builds a request.
    ///
    /// ```
    /// # async fn run() -> Result<(), reqwest::Error> {
    /// let http = hub_otel::http::Client::new();
    /// http.request(reqwest::Method::OPTIONS, "https://api.internal/users").send().await?;
    /// # Ok(()) }
    /// ```
    pub fn request<U: IntoUrl>(&self, method: Method, url: U) -> RequestBuilder {
        RequestBuilder::new(self.clone(), self.inner.request(method, url))
    }

    /// Sends a request that was built elsewhere.
    ///
    /// ```
    /// # async fn run(request: reqwest::Request) -> Result<(), reqwest::Error> {
    /// let response = hub_otel::http::Client::new().execute(request).await?;
    /// # let _ = response; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of reqwest: no connection, a timeout, a redirect that is refused.
    ///
    /// # Cancellation
    /// If the future is dropped, the span ends with `error.type` = `cancelled`.
    pub async fn execute(&self, request: Request) -> Result<Response, reqwest::Error> {
        self.send(request, CallOptions::default()).await
    }

    async fn send(
        &self,
        mut request: Request,
        mut options: CallOptions,
    ) -> Result<Response, reqwest::Error> {
        let instance = self.source.resolve();
        // reqwest's timeout applies to the whole call, redirects included.
        let deadline = request.timeout().and_then(|timeout| Instant::now().checked_add(*timeout));
        let mut followed = 0;
        loop {
            let is_last = followed >= self.settings.max_redirects;
            let replay = (!is_last).then(|| Replay::of(&request));
            let attempt = instance
                .as_ref()
                .and_then(|instance| start(instance, &self.settings, &mut request, options));
            // One redirect too many is an error only if any are followed, as in reqwest.
            let refuses_redirect =
                self.has_own_policy && is_last && self.settings.max_redirects > 0;
            let sent = redirect::send(refuses_redirect, self.inner.execute(request));
            let response = match attempt {
                Some(attempt) => trace(attempt, sent).await?,
                None => sent.await?,
            };
            let Some(next) = replay.and_then(|replay| replay.redirected(&response, deadline))
            else {
                return Ok(response);
            };
            if !matches!(next.url().scheme(), "http" | "https") {
                // reqwest returns its error for the scheme and sends nothing: no span.
                return self.inner.execute(next).await;
            }
            request = next;
            followed += 1;
            options.resend_count += 1;
            // The template belongs to the first URL.
            options.template = None;
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Traces a client that was built before. It keeps its own redirect policy.
impl From<reqwest::Client> for Client {
    fn from(inner: reqwest::Client) -> Self {
        Self {
            inner,
            has_own_policy: false,
            settings: Arc::default(),
            source: InstanceSource::from_context(),
        }
    }
}
