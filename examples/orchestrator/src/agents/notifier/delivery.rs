//! Posts one message to one destination, once, and says what became of it.
//!
//! No redirect is followed: the answer of a chat's webhook has no reason to send a message elsewhere, and what it names
//! was never checked. The reasons are stable words; the URL, whose path is the secret, is in none of them.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::agents::AgentError;
use crate::cause::innermost;

/// How long a destination may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer waits than this are not waited out: the failure says how long it would have been.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The most of an answer's body that is looked at.
const ANSWER_BYTES: usize = 16 * 1024;

/// What an answer means: its status, or why the message was not delivered.
pub(super) async fn judge(mut answer: reqwest::Response) -> Result<u16, AgentError> {
    let status = answer.status();
    let after = retry_after(answer.headers(), OffsetDateTime::now_utc());
    match status {
        _ if status.is_success() => Ok(status.as_u16()),
        StatusCode::TOO_MANY_REQUESTS => {
            // Discord says it more exactly in the body.
            let after = match after {
                Some(after) => after,
                None => body_retry_after(&mut answer).await.unwrap_or(Duration::from_secs(1)),
            };
            let asked = format!("answered 429 and asks to wait {} s", after.as_secs_f64());
            Err(waiting("rate_limited", asked, Some(after)))
        }
        _ if status.is_redirection() => {
            let message =
                format!("answered {}, a redirect, which is not followed", status.as_u16());
            Err(AgentError::permanent("redirect_refused", message))
        }
        _ if status.is_server_error() => {
            Err(waiting("unavailable", format!("answered {}", status.as_u16()), after))
        }
        _ => Err(AgentError::permanent(
            "refused",
            format!("refused the message with {}", status.as_u16()),
        )),
    }
}

/// Another attempt, after the wait that was asked for: unless it is too long to be waited out.
fn waiting(kind: &'static str, message: String, after: Option<Duration>) -> AgentError {
    match after {
        Some(after) if after > LONGEST_WAIT => AgentError::permanent(kind, message),
        Some(after) => AgentError::retryable(kind, message).after(after),
        None => AgentError::retryable(kind, message),
    }
}

/// What a failed request means. The error's own text would name the URL.
pub(super) fn failed(error: reqwest::Error) -> AgentError {
    if error.is_timeout() {
        return AgentError::retryable(
            "timeout",
            format!("gave no answer within {} s", TIMEOUT.as_secs()),
        );
    }
    AgentError::retryable("unreachable", format!("could not be reached: {}", innermost(error)))
}

/// `Retry-After` in seconds, whole or not, or as a date.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let moment = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Duration::try_from(moment - now).unwrap_or_default())
}

async fn body_retry_after(answer: &mut reqwest::Response) -> Option<Duration> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES {
            return None;
        }
    }
    let answer: Value = serde_json::from_slice(&body).ok()?;
    Duration::try_from_secs_f64(answer.get("retry_after")?.as_f64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        let now = OffsetDateTime::parse("Wed, 21 Oct 2015 07:28:00 GMT", &Rfc2822).unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(
            asked("Wed, 21 Oct 2015 07:27:00 GMT"),
            Some(Duration::ZERO),
            "a moment that has passed"
        );
        for nonsense in ["-1", "NaN", "soon", "1e400"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_wait_that_is_too_long_is_not_waited_out() {
        let asked =
            |seconds| waiting("rate_limited", String::new(), Some(Duration::from_secs(seconds)));
        assert_eq!(
            (asked(5).retryable, asked(5).retry_after),
            (true, Some(Duration::from_secs(5)))
        );
        assert_eq!((asked(3_600).retryable, asked(3_600).retry_after), (false, None));
        assert!(waiting("unavailable", String::new(), None).retryable);
    }
}
