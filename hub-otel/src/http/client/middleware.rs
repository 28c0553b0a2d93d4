//! [`ClientMiddleware`]: a middleware of reqwest-middleware that traces requests.

use crate::Telemetry;
use crate::http::client::reqwest_attempt::{fail, head, start};
use crate::http::client::settings::{CallOptions, ClientSettings};
use crate::instrumentation::InstanceSource;
use crate::semconv::error_type;
use http_types::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;

/// A middleware of [reqwest-middleware](reqwest_middleware) 0.5 that traces requests by the rules
/// of [`http::Client`](crate::http::Client).
///
/// Below a middleware that retries, each attempt has a span. The redirects that reqwest follows by
/// itself share one; baggage is therefore never sent. [`UrlTemplate`](crate::http::UrlTemplate) and
/// [`ResendCount`](crate::http::ResendCount) are read from the extensions of a request.
///
/// ```
/// use hub_otel::http::{ClientMiddleware, UrlTemplate};
/// use reqwest_middleware::ClientBuilder;
///
/// # async fn run() -> Result<(), reqwest_middleware::Error> {
/// let http = ClientBuilder::new(reqwest::Client::new()).with(ClientMiddleware::new()).build();
/// let request = http.get("https://api.internal/users/7").with_extension(UrlTemplate("/users/{id}"));
/// let user = request.send().await?.text().await?;
/// # let _ = user; Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientMiddleware {
    settings: Arc<ClientSettings>,
    source: InstanceSource,
}

impl ClientMiddleware {
    /// Creates a middleware that redacts all paths.
    #[must_use]
    pub fn new() -> Self {
        Self { settings: Arc::default(), source: InstanceSource::from_context() }
    }

    /// Records the paths of the URLs of `host`, which must not be secret.
    #[must_use]
    pub fn show_path(mut self, host: &str) -> Self {
        Arc::make_mut(&mut self.settings).shown_hosts.push(host.into());
        self
    }

    /// Sends no propagation headers, for services of other organizations.
    #[must_use]
    pub fn without_propagation(mut self) -> Self {
        Arc::make_mut(&mut self.settings).no_propagation = true;
        self
    }

    /// Records into `telemetry` instead of the installed one.
    #[must_use]
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.source = InstanceSource::of(telemetry.instance());
        self
    }
}

#[async_trait::async_trait]
impl Middleware for ClientMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response, Error> {
        let options = CallOptions::of(extensions);
        let attempt = self
            .source
            .resolve()
            .and_then(|instance| start(&instance, &self.settings, &mut request, options));
        let Some(mut attempt) = attempt else { return next.run(request, extensions).await };
        let mut sent = pin!(next.run(request, extensions));
        let result = poll_fn(|task| attempt.poll(|| sent.as_mut().poll(task))).await;
        match &result {
            Ok(response) => attempt.succeed(head(response)),
            Err(Error::Reqwest(error)) => fail(&mut attempt, error),
            Err(Error::Middleware(_)) => attempt.fail(error_type::OTHER, None),
        }
        result
    }
}
