//! Redirects, followed one request at a time: each has a span and headers of its own.
//!
//! The rules are reqwest's. They are repeated here because reqwest sends the headers of the first
//! request to every destination, and reports all requests as one.

use reqwest::Method;
use reqwest::Request;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::Url;
use reqwest::header::AUTHORIZATION;
use reqwest::header::CONTENT_ENCODING;
use reqwest::header::CONTENT_LENGTH;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::COOKIE;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderValue;
use reqwest::header::LOCATION;
use reqwest::header::PROXY_AUTHORIZATION;
use reqwest::header::REFERER;
use reqwest::header::TRANSFER_ENCODING;
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::redirect::Policy;
use std::error::Error;
use std::future::Future;
use std::time::Instant;

tokio::task_local! {
    /// `true` while a request is sent that must not be redirected any further.
    ///
    /// Only reqwest can create a `reqwest::Error`, so its redirect policy has to reject the last
    /// redirect. A policy belongs to the client and has no access to the request: this value
    /// identifies the request that it is called for. The alternatives are worse: `Policy::none` and
    /// tower-http's `FollowRedirect` return the last redirect as a response, where reqwest's users
    /// expect an error, and a second client with another policy has a second connection pool.
    static IS_LAST: bool;
}

/// Returns the policy of the inner client: a redirect is a response, and an error for the last
/// request.
pub(super) fn policy() -> Policy {
    Policy::custom(|attempt| {
        if IS_LAST.try_with(|is_last| *is_last).unwrap_or(false) {
            let status = attempt.status();
            attempt.error(TooManyRedirects { status })
        } else {
            attempt.stop()
        }
    })
}

/// Awaits `sent`; if `is_last`, [`policy`] refuses a redirect.
pub(super) async fn send<F: Future>(is_last: bool, sent: F) -> F::Output {
    IS_LAST.scope(is_last, sent).await
}

/// Returns the status of the redirect that [`policy`] refused, if that is the cause of `error`.
pub(in crate::http::client) fn refused_status(error: &reqwest::Error) -> Option<StatusCode> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<TooManyRedirects>() {
            return Some(refusal.status);
        }
        cause = error.source();
    }
    None
}

/// The cause of the error for one redirect too many.
#[derive(Debug)]
struct TooManyRedirects {
    status: StatusCode,
}

impl std::fmt::Display for TooManyRedirects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("too many redirects")
    }
}

impl Error for TooManyRedirects {}

/// A copy of a request, for the case that its response is a redirect.
pub(super) struct Replay {
    request: Request,
    /// The body is a stream, which cannot be sent again.
    is_bodiless: bool,
}

impl Replay {
    pub(super) fn of(request: &Request) -> Self {
        if let Some(request) = request.try_clone() {
            return Self { request, is_bodiless: false };
        }
        let mut copy = Request::new(request.method().clone(), request.url().clone());
        *copy.headers_mut() = request.headers().clone();
        *copy.version_mut() = request.version();
        *copy.timeout_mut() = request.timeout().copied();
        Self { request: copy, is_bodiless: true }
    }

    /// Returns the request that follows `response`; `None` if it is not a redirect, or one that
    /// cannot be followed.
    pub(super) fn redirected(
        self,
        response: &Response,
        deadline: Option<Instant>,
    ) -> Option<Request> {
        let Self { mut request, is_bodiless } = self;
        // RFC 9110, "Redirection 3xx".
        let drops_body = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *request.method() == Method::POST,
            StatusCode::SEE_OTHER => true,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return None,
        };
        if is_bodiless && !drops_body {
            return None;
        }
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let from = request.url().clone();
        let to = from.join(location).ok()?;
        if drops_body {
            if request.method() != Method::HEAD {
                *request.method_mut() = Method::GET;
            }
            *request.body_mut() = None;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
                request.headers_mut().remove(name);
            }
        }
        if is_cross_origin(&from, &to) {
            remove_credentials(request.headers_mut());
        }
        if let Some(referer) = referer(&from, &to) {
            request.headers_mut().insert(REFERER, referer);
        }
        if let Some(deadline) = deadline {
            *request.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
        }
        *request.url_mut() = to;
        Some(request)
    }
}

fn is_cross_origin(from: &Url, to: &Url) -> bool {
    from.host_str() != to.host_str()
        || from.port_or_known_default() != to.port_or_known_default()
        || from.scheme() != to.scheme()
}

fn remove_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE] {
        headers.remove(name);
    }
    headers.remove("cookie2");
}

/// Returns `from` without credentials and fragment; `None` from https to http (RFC 9110,
/// "Referer").
fn referer(from: &Url, to: &Url) -> Option<HeaderValue> {
    if from.scheme() == "https" && to.scheme() == "http" {
        return None;
    }
    let mut referer = from.clone();
    referer.set_username("").ok()?;
    referer.set_password(None).ok()?;
    referer.set_fragment(None);
    referer.as_str().parse().ok()
}
