//! Classifies the response of a destination.
//!
//! Redirects are not followed: the webhook of a chat does not need them, and their target is not
//! checked. Error texts do not contain the URL, whose path is the secret.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::agents::AgentError;
use crate::error_text::root_cause;

/// Timeout of a request.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum wait before a retry. A longer `Retry-After` is a permanent failure.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Maximum size of a response body that is parsed.
const MAX_BODY: usize = 16 * 1024;

/// Returns the status of a successful response, otherwise the failure.
pub(super) async fn classify(mut response: reqwest::Response) -> Result<u16, AgentError> {
    let status = response.status();
    let after = retry_after(response.headers(), Timestamp::now());
    match status {
        _ if status.is_success() => Ok(status.as_u16()),
        StatusCode::TOO_MANY_REQUESTS => {
            // Discord has the exact time in the body.
            let after = match after {
                Some(after) => after,
                None => body_retry_after(&mut response).await.unwrap_or(Duration::from_secs(1)),
            };
            let message = format!("429, retry after {} s", after.as_secs_f64());
            Err(retryable("rate_limited", message, Some(after)))
        }
        _ if status.is_redirection() => {
            let message = format!("{}, redirects are not followed", status.as_u16());
            Err(AgentError::permanent("redirect_refused", message))
        }
        _ if status.is_server_error() => {
            Err(retryable("unavailable", format!("status {}", status.as_u16()), after))
        }
        _ => Err(AgentError::permanent(
            "refused",
            format!("rejected the message with {}", status.as_u16()),
        )),
    }
}

/// Creates a retryable failure, permanent if the requested wait is too long.
fn retryable(kind: &'static str, message: String, after: Option<Duration>) -> AgentError {
    match after {
        Some(after) if after > MAX_WAIT => AgentError::permanent(kind, message),
        Some(after) => AgentError::retryable(kind, message).after(after),
        None => AgentError::retryable(kind, message),
    }
}

/// Converts an error of a request. The error's text would contain the URL.
pub(super) fn request_failed(error: reqwest::Error) -> AgentError {
    if error.is_timeout() {
        return AgentError::retryable(
            "timeout",
            format!("no response within {} s", TIMEOUT.as_secs()),
        );
    }
    AgentError::retryable("unreachable", format!("unreachable: {}", root_cause(error)))
}

/// Parses `Retry-After`: seconds, with or without a fraction, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let time = rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(time.duration_since(now)).unwrap_or_default())
}

async fn body_retry_after(response: &mut reqwest::Response) -> Option<Duration> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return None;
        }
    }
    let body: Value = serde_json::from_slice(&body).ok()?;
    Duration::try_from_secs_f64(body.get("retry_after")?.as_f64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        let now = rfc2822::parse("Wed, 21 Oct 2015 07:28:00 GMT").unwrap().timestamp();
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(parse("3"), Some(Duration::from_secs(3)));
        assert_eq!(parse("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(parse("Wed, 21 Oct 2015 07:28:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(
            parse("Wed, 21 Oct 2015 07:27:00 GMT"),
            Some(Duration::ZERO),
            "a time in the past"
        );
        for nonsense in ["-1", "NaN", "soon", "1e400"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_wait_above_the_maximum_is_a_permanent_failure() {
        let failure =
            |seconds| retryable("rate_limited", String::new(), Some(Duration::from_secs(seconds)));
        assert_eq!(
            (failure(5).retryable, failure(5).retry_after),
            (true, Some(Duration::from_secs(5)))
        );
        assert_eq!((failure(3_600).retryable, failure(3_600).retry_after), (false, None));
        assert!(retryable("unavailable", String::new(), None).retryable);
    }
}
