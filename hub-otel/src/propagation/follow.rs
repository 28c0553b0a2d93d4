//! A future that runs under a context that came from somewhere else.

use opentelemetry::Context;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

pin_project! {
    /// A future under a context. Made by [`follow`].
    #[must_use = "futures do nothing unless they are awaited or polled"]
    pub struct Follow<F> {
        context: Context,
        #[pin]
        future: F,
    }
}

/// Runs `future` under `context`: what starts inside belongs to its trace, and to its run.
pub fn follow<F: Future>(context: Context, future: F) -> Follow<F> {
    Follow { context, future }
}

impl<F: Future> Future for Follow<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = this.context.clone().attach();
        this.future.poll(cx)
    }
}
