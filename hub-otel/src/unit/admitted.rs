//! Futures and streams that the budget of their run may refuse, on the first poll.

use crate::unit::refusal::{Admit, Refusal};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Names the output of a future, for autoref specialization.
pub fn refusal_of_output<F: Future>(_: &F) -> Refusal<F::Output> {
    Refusal::new()
}

/// Names the items of a stream, for autoref specialization.
pub fn refusal_of_items<S: Stream>(_: &Option<S>) -> Refusal<S::Item> {
    Refusal::new()
}

pin_project! {
    /// A future that is dropped without a poll if the budget of its run refuses the call. See
    /// [`Unit::run_in_budget`](crate::Unit::run_in_budget).
    ///
    /// ```
    /// # async fn request() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let unit = hub_otel::tool("search").run_in_budget(request());
    /// ```
    #[must_use = "futures do nothing unless they are awaited or polled"]
    pub struct AdmittedFuture<F: Future> {
        #[pin]
        body: Option<F>,
        admit: Option<Admit<F::Output>>,
    }
}

/// Admits the call of `body` on its first poll. `None`: the call cannot be refused.
#[inline]
pub fn admit_future<F: Future>(body: F, admit: Option<Admit<F::Output>>) -> AdmittedFuture<F> {
    AdmittedFuture { body: Some(body), admit }
}

impl<F: Future> Future for AdmittedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(refused) = this.admit.take().and_then(|admit| admit()) {
            // The body's destructors run inside the unit, whose context is attached now.
            this.body.set(None);
            return Poll::Ready(refused);
        }
        let Some(body) = this.body.as_pin_mut() else { unreachable!("polled after completion") };
        body.poll(cx)
    }
}

impl<F: Future> fmt::Debug for AdmittedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmittedFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// A stream that is dropped without a poll if the budget of its run refuses the call. The error
    /// is then its only item. See
    /// [`Unit::run_stream_in_budget`](crate::Unit::run_stream_in_budget).
    ///
    /// ```
    /// # use futures_util::stream;
    /// let words = stream::iter([Ok::<_, std::io::Error>("a"), Ok("b")]);
    /// let unit = hub_otel::llm("openai", "gpt-4o").run_stream_in_budget(words);
    /// ```
    #[must_use = "streams do nothing unless they are polled"]
    pub struct AdmittedStream<S: Stream> {
        #[pin]
        body: Option<S>,
        admit: Option<Admit<S::Item>>,
    }
}

/// Admits the call of `body` on its first poll, unless the code that creates it was refused: the
/// body is `None` then. Without `admit` the call cannot be refused.
#[inline]
pub fn admit_stream<S: Stream>(
    body: Option<S>,
    admit: Option<Admit<S::Item>>,
) -> AdmittedStream<S> {
    AdmittedStream { body, admit }
}

impl<S: Stream> Stream for AdmittedStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if let Some(refused) = this.admit.take().and_then(|admit| admit()) {
            // The body's destructors run inside the unit, whose context is attached now.
            this.body.set(None);
            return Poll::Ready(Some(refused));
        }
        this.body.as_pin_mut().map_or(Poll::Ready(None), |body| body.poll_next(cx))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (lower, upper) = self.body.as_ref().map_or((0, Some(0)), Stream::size_hint);
        if self.admit.is_some() {
            // A refused stream has one item.
            return (lower.min(1), upper.map(|upper| upper.max(1)));
        }
        (lower, upper)
    }
}

impl<S: Stream> fmt::Debug for AdmittedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmittedStream").finish_non_exhaustive()
    }
}

impl<S: FusedStream> FusedStream for AdmittedStream<S> {
    fn is_terminated(&self) -> bool {
        self.admit.is_none() && self.body.as_ref().is_none_or(FusedStream::is_terminated)
    }
}
