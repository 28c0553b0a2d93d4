//! [`ClientLayer`]: a tower layer that traces the requests of an HTTP client.

use crate::Telemetry;
use crate::http::client::attempt::{Attempt, ResponseHead};
use crate::http::client::settings::{CallOptions, ClientSettings};
use crate::http::client::target::Target;
use crate::instrumentation::InstanceSource;
use crate::semconv::error_type;
use http_types::{Request, Response};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tower::{Layer, Service};

/// A tower layer that traces the requests of an HTTP client: any service from `http::Request` to
/// `http::Response`, whatever their bodies are.
///
/// Per request it records a span and `http.client.request.duration`, and sends W3C trace headers,
/// by the rules of `http::Client` (feature `reqwest`): paths are redacted unless
/// [shown](Self::show_path) or replaced by a [`UrlTemplate`](crate::http::UrlTemplate), query
/// strings and credentials are never recorded. The span ends with the head of the response;
/// requests and responses pass unchanged. `error.type` of an error of the service is `_OTHER`.
///
/// Layers above it are repeated work: with a retry or a redirect layer above, each attempt has a
/// span. A layer that follows redirects below it would send the headers of the first request to
/// other hosts.
///
/// ```
/// use hub_otel::http::ClientLayer;
/// use http_types::{Request, Response};
/// use tower::{Layer, Service, service_fn};
///
/// # async fn run() -> Result<(), std::io::Error> {
/// // In a program: the client of hyper-util, or of any library that takes a tower service.
/// let client = service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new("body")));
/// let mut client = ClientLayer::new().show_path("api.internal").layer(client);
/// let request = Request::get("http://api.internal/users").body(String::new());
/// let response = client.call(request.map_err(std::io::Error::other)?).await?;
/// # let _ = response;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientLayer {
    settings: Arc<ClientSettings>,
    source: InstanceSource,
}

impl ClientLayer {
    /// Creates a layer that redacts all paths and sends no baggage.
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

    /// Sends the identity of the run (`workflow.id`, `workflow.run.id`) as W3C baggage to `host`;
    /// `*.svc.local` matches every name below `svc.local`. By default it is sent to no host. It is
    /// not sent if OTEL_PROPAGATORS leaves `baggage` out.
    #[must_use]
    pub fn baggage_to(mut self, host: &str) -> Self {
        Arc::make_mut(&mut self.settings).baggage.push(host);
        self
    }

    /// Sends no propagation headers (`traceparent`, `tracestate`, `baggage`), for services of other
    /// organizations. Spans and metrics are recorded as before.
    #[must_use]
    pub fn without_propagation(mut self) -> Self {
        Arc::make_mut(&mut self.settings).no_propagation = true;
        self
    }

    /// Records into `telemetry` instead of the installed one: for tests, and for programs with
    /// several.
    #[must_use]
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.source = InstanceSource::of(telemetry.instance());
        self
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> ClientService<S> {
        ClientService { inner, layer: self.clone() }
    }
}

/// The service of a [`ClientLayer`].
#[derive(Debug, Clone)]
pub struct ClientService<S> {
    inner: S,
    layer: ClientLayer,
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let settings = &self.layer.settings;
        let attempt = self.layer.source.resolve().and_then(|instance| {
            let options = CallOptions::of(request.extensions());
            let target = Target::of_uri(request.uri(), request.headers());
            Attempt::start(&instance, settings, request.method(), &target, options)
        });
        let Some(mut attempt) = attempt else {
            return ClientFuture { future: self.inner.call(request), attempt: None };
        };
        attempt.inject(settings, request.headers_mut());
        let future = attempt.poll(|| self.inner.call(request));
        ClientFuture { future, attempt: Some(attempt) }
    }
}

pin_project! {
    /// The future of a response. If it is dropped, the span ends with `error.type` = `cancelled`.
    #[must_use = "futures do nothing unless polled"]
    pub struct ClientFuture<F> {
        #[pin]
        future: F,
        attempt: Option<Attempt>,
    }
}

impl<F> std::fmt::Debug for ClientFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(attempt) = this.attempt else { return this.future.poll(task) };
        let result = ready!(attempt.poll(|| this.future.poll(task)));
        match &result {
            Ok(response) => attempt.succeed(ResponseHead {
                status: response.status(),
                version: response.version(),
                peer: None,
            }),
            Err(_) => attempt.fail(error_type::OTHER, None),
        }
        *this.attempt = None;
        Poll::Ready(result)
    }
}
