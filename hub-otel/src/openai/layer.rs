//! [`OpenAiLayer`]: the tower layer, its services and their future.

use crate::instance;
use crate::openai::body::ObservedBody;
use crate::openai::exchange::{Exchange, ExchangeOptions, Failure, Head, SharedOutbox, classify};
use crate::openai::request::call_of;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// A tower layer that records the calls of OpenAI's API, and of servers that are compatible to it.
///
/// It wraps a service from `reqwest::Request` to `reqwest::Response`: `reqwest::Client` is one.
/// [`client`](Self::client) fits it to async-openai.
///
/// A request to a path that ends in `/chat/completions`, `/responses`, `/completions` or
/// `/embeddings` is a call of a model; others pass through. Recorded are the model and the
/// parameters of the request; model, id, finish reasons and usage of the response, plain or
/// streamed; the time to the first chunk. Messages are recorded
/// by consent only: [`Current::input_messages`](crate::Current::input_messages). A stream reports
/// its usage if the request has `"stream_options": { "include_usage": true }`, which the layer does
/// not add.
///
/// The call is a unit: it starts with the request and ends with the body of the response, or with
/// the last event of a stream.
///
/// | event | outcome |
/// |---|---|
/// | the body ends, `[DONE]`, `response.completed` | SUCCESS |
/// | a status of 400 or above | FAILED, the status code |
/// | no response, a body that breaks | FAILED, `timeout`, `connect`, `body`, … |
/// | an error in the stream | FAILED, its code |
/// | the budget is exceeded, with [`refuse_over_budget`](Self::refuse_over_budget) | FAILED, `budget_exceeded` |
/// | the request or the body is dropped | CANCELLED |
///
/// The bytes of request and response are unchanged, and each chunk passes when it arrives. Of a
/// stream one line is kept, up to 512 KiB; of a plain body the chunks are kept until its end, in
/// the memory of the client, up to 8 MiB. What is larger, or no JSON, has no facts.
///
/// ```
/// use hub_otel::openai::OpenAiLayer;
/// use tower::{Layer, Service};
///
/// # async fn run(request: reqwest::Request) -> Result<(), reqwest::Error> {
/// let mut client = OpenAiLayer::new().layer(reqwest::Client::new());
/// let response = client.call(request).await?;
/// # let _ = response;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct OpenAiLayer {
    settings: Arc<Settings>,
}

#[derive(Debug, Clone, Default)]
struct Settings {
    provider: Option<Box<str>>,
    no_propagation: bool,
    refuses: bool,
}

impl OpenAiLayer {
    /// Creates a layer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `gen_ai.provider.name`. By default it follows from the host of the URL: `openai`,
    /// `azure.ai.openai`, `groq`, …; `openai` for a server that is not known.
    ///
    /// ```
    /// let layer = hub_otel::openai::OpenAiLayer::new().provider("ollama");
    /// ```
    #[must_use]
    pub fn provider(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.settings).provider = Some(name.into());
        self
    }

    /// Sends no `traceparent` and `tracestate`, for a server that is not yours.
    #[must_use]
    pub fn without_propagation(mut self) -> Self {
        Arc::make_mut(&mut self.settings).no_propagation = true;
        self
    }

    /// Sends no request past a limit of the [`Budget`](crate::Budget) around it. The client
    /// receives a response of the layer in its place: status 402, which clients do not retry, and
    /// an error in the form of OpenAI's API with the code `budget_exceeded`.
    ///
    /// By default the request is sent and charged to the budget.
    ///
    /// ```
    /// let layer = hub_otel::openai::OpenAiLayer::new().refuse_over_budget();
    /// ```
    #[must_use]
    pub fn refuse_over_budget(mut self) -> Self {
        Arc::make_mut(&mut self.settings).refuses = true;
        self
    }

    /// Wraps `client` into a service for requests of another type, which `build` turns into
    /// reqwest's.
    ///
    /// For async-openai, whose requests are factories:
    /// `|request: HttpRequestFactory| async move { request.build().await }`; the guide to the
    /// boundaries has the whole program. It names no type of async-openai, so that any version of
    /// it fits.
    ///
    /// ```
    /// use hub_otel::openai::OpenAiLayer;
    /// use tower::Service;
    ///
    /// # async fn run(request: http_types::Request<String>) -> Result<(), reqwest::Error> {
    /// // Requests of the crate `http`.
    /// let mut client = OpenAiLayer::new().client(
    ///     reqwest::Client::new(),
    ///     |request: http_types::Request<String>| async { reqwest::Request::try_from(request) },
    /// );
    /// let response = client.call(request).await?;
    /// # let _ = response;
    /// # Ok(()) }
    /// ```
    ///
    /// The type of the error is the one of `build`. A layer that retries belongs around this
    /// service: each attempt is a call.
    pub fn client<S, B>(&self, client: S, build: B) -> OpenAiClient<S, B> {
        OpenAiClient { service: self.layer(client), build }
    }
}

impl<S> Layer<S> for OpenAiLayer {
    type Service = OpenAiService<S>;

    fn layer(&self, inner: S) -> OpenAiService<S> {
        OpenAiService { inner, settings: Arc::clone(&self.settings) }
    }
}

/// The service of an [`OpenAiLayer`].
#[derive(Debug, Clone)]
pub struct OpenAiService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Service<Request> for OpenAiService<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = OpenAiFuture<S::Error>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let call = if instance::in_use() {
            call_of(&request, self.settings.provider.as_deref())
        } else {
            None
        };
        let Some(call) = call else {
            return OpenAiFuture(Call::Untraced(Box::pin(self.inner.call(request))));
        };
        // The service that is ready is the one to call.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let outbox = SharedOutbox::default();
        let Settings { no_propagation, refuses, .. } = *self.settings;
        let options = ExchangeOptions { propagates: !no_propagation, refuses };
        let exchange = Exchange::new(inner, request, options, outbox.clone());
        let unit: CallUnit = Box::pin(call.run_with(exchange, classify));
        OpenAiFuture(Call::Traced { unit: Some(unit), outbox })
    }
}

/// The unit of a call.
pub(super) type CallUnit = Pin<Box<dyn Future<Output = Failure> + Send>>;

/// The future of a response.
///
/// # Cancellation
/// If it is dropped, the call ends CANCELLED.
#[must_use = "futures do nothing unless polled"]
pub struct OpenAiFuture<E>(Call<E>);

enum Call<E> {
    Untraced(Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>),
    Traced { unit: Option<CallUnit>, outbox: SharedOutbox<E> },
}

impl<E> fmt::Debug for OpenAiFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiFuture").finish_non_exhaustive()
    }
}

impl<E> Unpin for OpenAiFuture<E> {}

impl<E: Send + 'static> Future for OpenAiFuture<E> {
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let (unit, outbox) = match &mut self.get_mut().0 {
            Call::Untraced(future) => return future.as_mut().poll(task),
            Call::Traced { unit, outbox } => (unit, outbox),
        };
        if let Some(running) = unit
            && running.as_mut().poll(task).is_ready()
        {
            *unit = None;
        }
        let Some(head) = outbox.lock().head.take() else { return Poll::Pending };
        Poll::Ready(head.map(|head| {
            let body = ObservedBody::new(unit.take(), outbox.clone());
            response_of(head, Body::wrap(body))
        }))
    }
}

/// Returns the response as reqwest's, with its own URL.
fn response_of((parts, url): Head, body: Body) -> Response {
    let mut response = http_types::Response::from_parts(parts, body);
    // Only a builder can set the URL.
    if let Ok(with_url) = http_types::response::Builder::new().url(url).body(()) {
        response.extensions_mut().extend(with_url.into_parts().0.extensions);
    }
    Response::from(response)
}

/// A service for requests of another type, made by [`OpenAiLayer::client`].
#[derive(Debug, Clone)]
pub struct OpenAiClient<S, B> {
    service: OpenAiService<S>,
    build: B,
}

impl<S, B, T, F, E> Service<T> for OpenAiClient<S, B>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: FnMut(T) -> F,
    F: Future<Output = Result<Request, E>> + Send + 'static,
    E: From<S::Error> + Send + 'static,
{
    type Response = Response;
    type Error = E;
    type Future = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.service.poll_ready(task).map_err(E::from)
    }

    fn call(&mut self, request: T) -> Self::Future {
        let request = (self.build)(request);
        let clone = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, clone);
        Box::pin(async move { Ok(service.call(request.await?).await?) })
    }
}
