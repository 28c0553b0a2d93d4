//! One request and its response as the body of a unit.
//!
//! The unit's future ends with the response's body, and the client needs the head and each chunk
//! before that. It leaves them in an outbox, which its two pollers empty after each poll: the
//! future of the request, then the body of the response.

use crate::budget::BudgetExceeded;
use crate::contain::contain;
use crate::http::client::reqwest_attempt::error_type_of_any;
use crate::openai::content::record_request;
use crate::openai::reader::{MAX_JSON, ResponseReader};
use crate::propagation::inject;
use crate::semconv::error_type;
use crate::unit::current::current;
use crate::unit::outcome::Classification;
use crate::unit::refusal::admit_current;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use http_types::header::CONTENT_TYPE;
use http_types::response::Parts;
use http_types::{HeaderValue, StatusCode};
use reqwest::{Body, Request, Response, Url};
use serde_json::json;
use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tower::Service;

/// The error type of a call that failed.
pub(super) type Failure = Option<Cow<'static, str>>;

/// The future of a request by any service.
type Sending<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

/// The head of a response, with the URL that reqwest keeps beside it.
pub(super) type Head = (Parts, Url);

/// The results of the last poll, and the body of the response.
pub(super) struct Outbox<E> {
    pub(super) head: Option<Result<Head, E>>,
    pub(super) frame: Option<Result<Frame<Bytes>, reqwest::Error>>,
    pub(super) body: Option<Body>,
}

/// An outbox that a unit shares with its poller. Never contended.
pub(super) struct SharedOutbox<E>(Arc<Mutex<Outbox<E>>>);

impl<E> Default for SharedOutbox<E> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Outbox { head: None, frame: None, body: None })))
    }
}

impl<E> Clone for SharedOutbox<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> SharedOutbox<E> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Outbox<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Settings of an exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExchangeOptions {
    /// The request gets propagation headers.
    pub(super) propagates: bool,
    /// A request past the budget is not sent.
    pub(super) refuses: bool,
}

/// The future of the unit.
pub(super) struct Exchange<S, E> {
    state: State<S, E>,
    outbox: SharedOutbox<E>,
}

enum State<S, E> {
    Waiting(Option<(S, Request, ExchangeOptions)>),
    Sending(Sending<E>),
    Reading(ResponseReader),
}

impl<S, E> Exchange<S, E> {
    pub(super) fn new(
        service: S,
        request: Request,
        options: ExchangeOptions,
        outbox: SharedOutbox<E>,
    ) -> Self {
        Self { state: State::Waiting(Some((service, request, options))), outbox }
    }
}

// Nothing in it is pinned in place.
impl<S, E> Unpin for Exchange<S, E> {}

impl<S, E> Future for Exchange<S, E>
where
    S: Service<Request, Response = Response, Error = E>,
    S::Future: Send + 'static,
    E: 'static,
{
    type Output = Failure;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Failure> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Waiting(waiting) => {
                    let Some((mut service, mut request, options)) = waiting.take() else {
                        return Poll::Pending;
                    };
                    if options.refuses
                        && let Err(exceeded) = admit_current()
                    {
                        refuse(&exceeded, request.url().clone(), &this.outbox);
                        return Poll::Ready(Some(Cow::Borrowed(error_type::BUDGET_EXCEEDED)));
                    }
                    if options.propagates {
                        inject(request.headers_mut());
                    }
                    record_content(&request);
                    this.state = State::Sending(Box::pin(service.call(request)));
                }
                State::Sending(sending) => {
                    let result = ready!(sending.as_mut().poll(task));
                    return this.receive(result);
                }
                State::Reading(reader) => return read(reader, &this.outbox, task),
            }
        }
    }
}

impl<S, E: 'static> Exchange<S, E> {
    /// Passes the head on. A response with an error status ends the call: its body may not be read.
    fn receive(&mut self, result: Result<Response, E>) -> Poll<Failure> {
        let mut outbox = self.outbox.lock();
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                let failure = error_type_of_any(&error);
                outbox.head = Some(Err(error));
                return Poll::Ready(Some(Cow::Borrowed(failure)));
            }
        };
        let (status, url) = (response.status(), response.url().clone());
        let (parts, body) = http_types::Response::<Body>::from(response).into_parts();
        let mut reader = ResponseReader::new(&parts.headers);
        let has_ended = body.is_end_stream();
        outbox.body = Some(body);
        outbox.head = Some(Ok((parts, url)));
        drop(outbox);
        if status.is_client_error() || status.is_server_error() {
            return Poll::Ready(Some(crate::http::status_error_type(status)));
        }
        if has_ended {
            reader.finish();
            return Poll::Ready(None);
        }
        self.state = State::Reading(reader);
        Poll::Pending
    }
}

/// Leaves a response of the layer in place of the provider's. Clients do not retry its status.
fn refuse<E>(exceeded: &BudgetExceeded, url: Url, outbox: &SharedOutbox<E>) {
    let kind = error_type::BUDGET_EXCEEDED;
    let message = exceeded.to_string();
    let error = json!({ "message": message, "type": kind, "param": null, "code": kind });
    let (mut parts, ()) = http_types::Response::new(()).into_parts();
    parts.status = StatusCode::PAYMENT_REQUIRED;
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut outbox = outbox.lock();
    outbox.head = Some(Ok((parts, url)));
    outbox.body = Some(Body::from(json!({ "error": error }).to_string()));
}

/// Records the content of a request, by consent only.
fn record_content(request: &Request) {
    let call = current();
    if call.captures_content()
        && let Some(body) = request.body().and_then(Body::as_bytes)
        && body.len() <= MAX_JSON
    {
        contain(|| record_request(body, &call));
    }
}

/// Passes the next frame on. The call ends with the body, or with its last message.
fn read<E>(
    reader: &mut ResponseReader,
    outbox: &SharedOutbox<E>,
    task: &mut Context<'_>,
) -> Poll<Failure> {
    let mut outbox = outbox.lock();
    let Some(body) = outbox.body.as_mut() else { return Poll::Ready(None) };
    let frame = ready!(Pin::new(&mut *body).poll_frame(task));
    let has_ended = frame.is_none() || body.is_end_stream();
    match &frame {
        Some(Ok(frame)) => {
            if let Some(chunk) = frame.data_ref() {
                reader.read(chunk);
            }
        }
        Some(Err(_)) => {
            outbox.frame = frame;
            return Poll::Ready(Some(Cow::Borrowed(error_type::BODY)));
        }
        None => {}
    }
    outbox.frame = frame;
    if has_ended {
        reader.finish();
    }
    if has_ended || reader.is_complete {
        Poll::Ready(reader.error_type.take())
    } else {
        Poll::Pending
    }
}

/// Sets the outcome of a call. Messages of errors contain URLs and texts of the provider: they are
/// not recorded.
pub(super) fn classify(failure: &Failure, outcome: &mut Classification) {
    if let Some(error_type) = failure {
        outcome.fail_as(error_type.clone());
    }
}
