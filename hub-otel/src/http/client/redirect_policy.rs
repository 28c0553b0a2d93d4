//! reqwest's own refusals of a redirect: one too many, or one to what is not HTTP.
//!
//! Only reqwest can make its errors. Its policy is asked while the response's future is polled, on the same thread: that is
//! how it hears whether this request may still be redirected.

use reqwest::StatusCode;
use reqwest::redirect::Policy;
use std::cell::Cell;
use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;

thread_local! {
    /// Whether the request that is polled now must not be redirected any more.
    static REFUSE: Cell<bool> = const { Cell::new(false) };
    /// With which status a redirect was refused, until it is asked for.
    static REFUSED: Cell<Option<StatusCode>> = const { Cell::new(None) };
}

/// Leaves redirects to the caller, but for those that reqwest answers with an error.
pub(in crate::http) fn policy() -> Policy {
    Policy::custom(|attempt| {
        if REFUSE.get() {
            REFUSED.set(Some(attempt.status()));
            return attempt.error(TooManyRedirects);
        }
        match attempt.url().scheme() {
            "http" | "https" => attempt.stop(),
            // Goes nowhere: reqwest refuses by itself.
            _ => {
                REFUSED.set(Some(attempt.status()));
                attempt.follow()
            }
        }
    })
}

/// Polls `sent` so that [`policy`] knows whether to refuse.
pub(in crate::http) async fn under<F: Future>(refuse: bool, sent: F) -> F::Output {
    let mut sent = pin!(sent);
    poll_fn(|task| {
        REFUSED.set(None);
        let before = REFUSE.replace(refuse);
        let reset = Reset(before);
        let poll = sent.as_mut().poll(task);
        drop(reset);
        poll
    })
    .await
}

/// The status of the redirect that was refused in the poll that has just ended.
pub(super) fn status() -> Option<StatusCode> {
    REFUSED.take()
}

/// Also when the poll panics.
struct Reset(bool);

impl Drop for Reset {
    fn drop(&mut self) {
        REFUSE.set(self.0);
    }
}

#[derive(Debug)]
struct TooManyRedirects;

impl std::fmt::Display for TooManyRedirects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("too many redirects")
    }
}

impl std::error::Error for TooManyRedirects {}
