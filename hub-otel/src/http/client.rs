//! HTTP client spans and metrics: [`Client`], a reqwest client that is traced.

mod attempt;
mod metrics;
mod redact;
mod redirect;
mod redirect_policy;
mod request;

pub use crate::http::client::request::RequestBuilder;

use crate::Telemetry;
use crate::http::client::attempt::Attempt;
use crate::instrumentation::InstanceSource;
use crate::propagation::BaggageAllowList;
use reqwest::IntoUrl;
use reqwest::Method;
use reqwest::Request;
use reqwest::Response;
use std::sync::Arc;
use std::time::Instant;

/// How many redirects [`Client::new`] follows: as many as reqwest does.
const REDIRECTS: u32 = 10;

/// A reqwest client whose requests are traced: a span and `http.client.request.duration` per request that is sent, W3C
/// headers out (HTTP spans, "HTTP client span"; HTTP metrics, "HTTP client").
///
/// ```
/// # async fn run() -> Result<(), reqwest::Error> {
/// let http = hub_otel::http::Client::new();
/// let users = http.get("https://users.internal/api/users").send().await?.text().await?;
/// # let _ = users; Ok(()) }
/// ```
///
/// **A URL is a secret until told otherwise.** Of `https://hooks.slack.com/services/T0/B0/x?y=z` the span shows
/// `https://hooks.slack.com/REDACTED`: a webhook's path is its password, and nothing in a URL says which one is. Name the
/// hosts whose paths may be seen ([`Client::show_path`]), or give the request a template
/// ([`RequestBuilder::template`]). Query strings, fragments and userinfo are never shown.
///
/// The span ends when the response's head has arrived; reading the body is the caller's. Every request that goes over the
/// wire has a span of its own: a redirect that this client follows is a new one with `http.request.resend_count`.
///
/// [`Client::build`] takes reqwest's settings. A client that is ready (`Client::from`) keeps its own redirect policy, whose
/// hops happen out of sight: it is one span for all of them, and it is never given baggage, which reqwest would carry on
/// to wherever it is sent.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    /// Redirects are followed here and nowhere else.
    follows: bool,
    settings: Arc<Settings>,
    target: InstanceSource,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    redirects: u32,
    shown: Vec<Box<str>>,
    baggage: BaggageAllowList,
}

/// What the caller says about one call, beside the request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Call {
    template: Option<&'static str>,
    resends: u32,
}

impl Client {
    /// A client with reqwest's defaults, whose redirects (up to ten) are seen.
    ///
    /// # Panics
    /// Where `reqwest::Client::new` does: when TLS cannot be set up.
    pub fn new() -> Self {
        // Where it fails, `new` says what is wrong in reqwest's own words.
        Self::build(reqwest::Client::builder())
            .unwrap_or_else(|_| Self::from(reqwest::Client::new()))
    }

    /// A client with these settings, but for their redirect policy: up to ten are followed, and seen;
    /// [`Client::follow_redirects`] says how many.
    ///
    /// ```
    /// # fn run() -> Result<(), reqwest::Error> {
    /// let settings = reqwest::Client::builder().user_agent("scanner/1");
    /// let http = hub_otel::http::Client::build(settings)?.follow_redirects(0);
    /// # let _ = http; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As `reqwest::ClientBuilder::build`: when TLS or the resolver cannot be set up.
    pub fn build(settings: reqwest::ClientBuilder) -> Result<Self, reqwest::Error> {
        let inner = settings.redirect(redirect::policy()).build()?;
        Ok(Self { follows: true, ..Self::from(inner) }.follow_redirects(REDIRECTS))
    }

    /// Follows up to `limit` redirects, each with a span of its own; `0` follows none, and the redirect is the response.
    ///
    /// Methods, bodies and credentials change as in reqwest; one redirect too many is reqwest's error. Of a client that
    /// was ready (`Client::from`) only those that were built with `redirect::Policy::none()` leave them to this one, and
    /// after the last the redirect itself is the response.
    pub fn follow_redirects(mut self, limit: u32) -> Self {
        Arc::make_mut(&mut self.settings).redirects = limit;
        self
    }

    /// Shows the paths of this host's URLs in spans: for hosts whose paths are no secrets.
    pub fn show_path(mut self, host: &str) -> Self {
        Arc::make_mut(&mut self.settings).shown.push(host.into());
        self
    }

    /// Sends W3C baggage (workflow.run.id and workflow.id) to this host, `*.svc.local` to every name below. Without it
    /// baggage goes nowhere; nor does it where OTEL_PROPAGATORS leaves it out.
    ///
    /// Not for a client that was ready (`Client::from`): it may follow redirects by itself and take baggage along to hosts
    /// that were not named. A warning says so, and nothing is sent.
    pub fn baggage_to(mut self, host: &str) -> Self {
        if !self.follows {
            tracing::warn!(
                "no baggage is sent to {host} by a client that may follow redirects by itself: make it with \
                 `hub_otel::http::Client::build`"
            );
            return self;
        }
        Arc::make_mut(&mut self.settings).baggage.push(host);
        self
    }

    /// Records into this telemetry where it is not the installed one: for tests, and for programs with several.
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.target = telemetry
            .instance()
            .cloned()
            .map_or_else(InstanceSource::default, InstanceSource::explicit);
        self
    }

    /// The reqwest client inside: what it sends is not traced.
    pub fn untraced(&self) -> &reqwest::Client {
        &self.inner
    }

    /// Begins a GET request.
    pub fn get<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a POST request.
    pub fn post<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a PUT request.
    pub fn put<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a PATCH request.
    pub fn patch<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a DELETE request.
    pub fn delete<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a HEAD request.
    pub fn head<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins a request.
    pub fn request<U: IntoUrl>(&self, method: Method, url: U) -> RequestBuilder {
        RequestBuilder::new(self.clone(), self.inner.request(method, url))
    }

    /// Sends a request that was built elsewhere.
    ///
    /// # Errors
    /// As reqwest's: no connection, a deadline that passed, a redirect that is refused.
    ///
    /// # Cancellation
    /// A dropped future ends its span with `error.type` = `cancelled`.
    pub async fn execute(&self, request: Request) -> Result<Response, reqwest::Error> {
        self.run(request, Call::default()).await
    }

    async fn run(&self, mut request: Request, mut call: Call) -> Result<Response, reqwest::Error> {
        let instance = self.target.resolve();
        // reqwest's timeout is one for the whole call, redirects included.
        let deadline = request.timeout().and_then(|timeout| Instant::now().checked_add(*timeout));
        let mut followed = 0;
        loop {
            let is_last = followed >= self.settings.redirects;
            let replay = if is_last { None } else { redirect::Replay::of(&request) };
            let attempt = match &instance {
                Some(instance) => Attempt::begin(instance, &self.settings, &mut request, call),
                None => None,
            };
            // One too many is an error, as in reqwest, where any are followed at all.
            let refuse = self.follows && is_last && self.settings.redirects > 0;
            let sent = redirect::under(refuse, self.inner.execute(request));
            let response = match attempt {
                Some(attempt) => attempt.watch(sent).await?,
                None => sent.await?,
            };
            let Some(next) = replay.and_then(|replay| replay.after(&response, deadline)) else {
                return Ok(response);
            };
            request = next;
            followed += 1;
            call.resends += 1;
            // The template was the first URL's.
            call.template = None;
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl From<reqwest::Client> for Client {
    fn from(inner: reqwest::Client) -> Self {
        Self {
            inner,
            follows: false,
            settings: Arc::default(),
            target: InstanceSource::from_context(),
        }
    }
}
