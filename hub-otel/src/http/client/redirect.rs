//! Following a redirect as reqwest does, one request at a time, so that each has a span of its own, and headers of its own.

use crate::http::client::redirect_policy as refusal;
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
use std::time::Instant;

pub(super) use refusal::policy;
pub(super) use refusal::under;

/// A request that can be sent once more.
pub(super) struct Replay {
    request: Request,
    /// The body is a stream: it is gone, and only what goes on without it can be sent.
    bodiless: bool,
}

impl Replay {
    pub(super) fn of(request: &Request) -> Option<Self> {
        if let Some(request) = request.try_clone() {
            return Some(Self { request, bodiless: false });
        }
        let mut copy = Request::new(request.method().clone(), request.url().clone());
        *copy.headers_mut() = request.headers().clone();
        *copy.version_mut() = request.version();
        *copy.timeout_mut() = request.timeout().copied();
        Some(Self { request: copy, bodiless: true })
    }

    /// The request that `response` asks for; `None` when it is an answer, or cannot be followed.
    pub(super) fn after(self, response: &Response, deadline: Option<Instant>) -> Option<Request> {
        let Self { request: mut sent, bodiless } = self;
        let drops_its_body = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *sent.method() == Method::POST,
            StatusCode::SEE_OTHER => true,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return None,
        };
        if bodiless && !drops_its_body {
            return None;
        }
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let from = sent.url().clone();
        let to = from.join(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        if drops_its_body {
            if sent.method() != Method::HEAD {
                *sent.method_mut() = Method::GET;
            }
            *sent.body_mut() = None;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
                sent.headers_mut().remove(name);
            }
        }
        if is_elsewhere(&from, &to) {
            forget_credentials(sent.headers_mut());
        }
        if let Some(referer) = referer(&from, &to) {
            sent.headers_mut().insert(REFERER, referer);
        }
        if let Some(deadline) = deadline {
            *sent.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
        }
        *sent.url_mut() = to;
        Some(sent)
    }
}

fn is_elsewhere(from: &Url, to: &Url) -> bool {
    from.host_str() != to.host_str()
        || from.port_or_known_default() != to.port_or_known_default()
        || from.scheme() != to.scheme()
}

fn forget_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE] {
        headers.remove(name);
    }
    headers.remove("cookie2");
}

/// No referer from https to http; none of its secrets otherwise.
fn referer(from: &Url, to: &Url) -> Option<HeaderValue> {
    if from.scheme() == "https" && to.scheme() == "http" {
        return None;
    }
    let mut shown = from.clone();
    shown.set_username("").ok()?;
    shown.set_password(None).ok()?;
    shown.set_fragment(None);
    shown.as_str().parse().ok()
}
