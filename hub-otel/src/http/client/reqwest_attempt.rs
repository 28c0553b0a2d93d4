//! An attempt by reqwest: its request, its response and its error.

use crate::http::client::attempt::{Attempt, ResponseHead};
use crate::http::client::reqwest_client::redirect;
use crate::http::client::settings::{CallOptions, ClientSettings};
use crate::http::client::target::Target;
use crate::instance::Instance;
use crate::semconv::error_type as error_types;
use reqwest::Request;
use reqwest::Response;
use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

/// Opens the span and writes its context to the headers of the request; `None` if telemetry is
/// suppressed.
pub(super) fn start(
    instance: &Arc<Instance>,
    settings: &ClientSettings,
    request: &mut Request,
    options: CallOptions,
) -> Option<Attempt> {
    let target = Target::of_url(request.url());
    let mut attempt = Attempt::start(instance, settings, request.method(), &target, options)?;
    attempt.inject(settings, request.headers_mut());
    Some(attempt)
}

/// Awaits the head of the response under the span, and ends the span.
pub(super) async fn trace(
    mut attempt: Attempt,
    sent: impl Future<Output = Result<Response, reqwest::Error>>,
) -> Result<Response, reqwest::Error> {
    let mut sent = pin!(sent);
    let result = poll_fn(|task| attempt.poll(|| sent.as_mut().poll(task))).await;
    match &result {
        Ok(response) => attempt.succeed(head(response)),
        Err(error) => fail(&mut attempt, error),
    }
    result
}

/// Returns the head of a response.
pub(super) fn head(response: &Response) -> ResponseHead {
    ResponseHead {
        status: response.status(),
        version: response.version(),
        peer: response.remote_addr(),
    }
}

/// Ends the span with an error. A redirect that was refused is a response too: its status is known.
pub(super) fn fail(attempt: &mut Attempt, error: &reqwest::Error) {
    attempt.fail(error_type(error), redirect::refused_status(error));
}

/// Returns the `error.type` of the error of a service, if it is reqwest's.
#[cfg(feature = "openai")]
pub(crate) fn error_type_of_any(error: &dyn std::any::Any) -> &'static str {
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    let boxed = || error.downcast_ref::<Boxed>()?.downcast_ref();
    error.downcast_ref().or_else(boxed).map_or(error_types::OTHER, error_type)
}

/// Returns the `error.type` of an error. Its message is not used: it contains the URL.
fn error_type(error: &reqwest::Error) -> &'static str {
    use error_types::client as c;
    match () {
        () if error.is_timeout() => error_types::TIMEOUT,
        () if error.is_dns() => c::DNS,
        () if error.is_connect() => c::CONNECT,
        () if error.is_redirect() => c::REDIRECT,
        () if error.is_builder() => c::BUILDER,
        () if error.is_body() => error_types::BODY,
        () if error.is_decode() => c::DECODE,
        () if error.is_request() => c::REQUEST,
        () => error_types::OTHER,
    }
}
