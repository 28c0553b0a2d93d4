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

/// How long a destination may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer waits than this are not waited out: the failure says how long it would have been.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The most of an answer's body that is looked at.
const ANSWER_BYTES: usize = 16 * 1024;

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// 429: not now.
    #[error("answered 429 and asks to wait {} s", .after.as_secs_f64())]
    RateLimited {
        /// How long to wait.
        after: Duration,
    },
    /// 5xx.
    #[error("answered {status}")]
    Unavailable {
        /// The answer's status.
        status: u16,
        /// What `Retry-After` asked for.
        after: Option<Duration>,
    },
    /// No answer in time.
    #[error("gave no answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
    /// No connection: refused, no such host, TLS, or no public address.
    #[error("could not be reached: {reason}")]
    Unreachable {
        /// The innermost cause.
        reason: String,
    },
    /// 3xx, which is not followed.
    #[error("answered {status}, a redirect, which is not followed")]
    Redirected {
        /// The answer's status.
        status: u16,
    },
    /// Any other status.
    #[error("refused the message with {status}")]
    Refused {
        /// The answer's status.
        status: u16,
    },
}

impl Undelivered {
    /// The stable word: a retry's reason, an error's type.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::TimedOut => "timeout",
            Self::Unreachable { .. } => "unreachable",
            Self::Redirected { .. } => "redirect_refused",
            Self::Refused { .. } => "refused",
        }
    }

    /// How long to wait before the next attempt; `None` when there shall be none.
    pub fn wait(&self, backoff: Duration) -> Option<Duration> {
        let wait = match self {
            Self::RateLimited { after } => *after,
            Self::Unavailable { after, .. } => after.unwrap_or(backoff),
            Self::TimedOut | Self::Unreachable { .. } => backoff,
            Self::Redirected { .. } | Self::Refused { .. } => return None,
        };
        (wait <= LONGEST_WAIT).then_some(wait)
    }
}

/// What an answer means.
pub async fn judge(mut answer: reqwest::Response) -> Result<u16, Undelivered> {
    let status = answer.status();
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let after = retry_after(answer.headers(), OffsetDateTime::now_utc());
    let status_code = status.as_u16();
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            // Discord says it more exactly in the body.
            let after = match after {
                Some(after) => after,
                None => body_retry_after(&mut answer).await.unwrap_or(Duration::from_secs(1)),
            };
            Err(Undelivered::RateLimited { after })
        }
        _ if status.is_redirection() => Err(Undelivered::Redirected { status: status_code }),
        _ if status.is_server_error() => Err(Undelivered::Unavailable { status: status_code, after }),
        _ => Err(Undelivered::Refused { status: status_code }),
    }
}

/// What a failed request means. The error's own text would name the URL.
pub fn failed(error: reqwest::Error) -> Undelivered {
    if error.is_timeout() {
        return Undelivered::TimedOut;
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    Undelivered::Unreachable { reason: cause.to_string() }
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
        assert_eq!(asked("Wed, 21 Oct 2015 07:27:00 GMT"), Some(Duration::ZERO), "a moment that has passed");
        for nonsense in ["-1", "NaN", "soon", "1e400"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_wait_that_is_too_long_is_not_waited_out() {
        let backoff = Duration::from_millis(200);
        let limited = |seconds| Undelivered::RateLimited { after: Duration::from_secs(seconds) };
        assert_eq!(limited(5).wait(backoff), Some(Duration::from_secs(5)));
        assert_eq!(limited(3_600).wait(backoff), None);
        assert_eq!(Undelivered::TimedOut.wait(backoff), Some(backoff));
        assert_eq!(Undelivered::Redirected { status: 302 }.wait(backoff), None);
    }
}
