//! Extension traits that carry the current run into a task, a thread or a callback.

use crate::instance;
use crate::propagation::remote_context::RemoteContext;
use opentelemetry::Context;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task;
use std::task::Poll;

/// Carries the current run into a future that runs elsewhere: a spawned task.
///
/// The call of an annotated function captures the run by itself, so `tokio::spawn(agent(x))` needs
/// nothing. A block that makes the call later, in the new task, does:
///
/// ```
/// use hub_otel::propagation::RunFutureExt as _;
///
/// #[hub_otel::instrument_agent(id = "scanner", action = "scan")]
/// async fn scan(path: &str) {}
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tokio::task::JoinError> {
/// tokio::spawn(async { scan("/srv").await }.in_current_run()).await?;
/// # Ok(()) }
/// ```
pub trait RunFutureExt: Future + Sized {
    /// Attaches the context of this call, its trace and its run, on each poll and for the drop of
    /// the future.
    fn in_current_run(self) -> InRun<Self>;
}

impl<F: Future> RunFutureExt for F {
    fn in_current_run(self) -> InRun<Self> {
        InRun { future: Some(self), context: instance::in_use().then(Context::current) }
    }
}

/// Carries the current run into a closure that is called elsewhere: on a blocking thread, in a
/// thread pool.
///
/// For a closure with parameters, keep [`RemoteContext::current`] and call
/// [`in_scope`](RemoteContext::in_scope) inside of it.
///
/// ```
/// use hub_otel::propagation::RunFnExt as _;
///
/// #[hub_otel::instrument_agent(id = "hasher", action = "hash")]
/// fn hash(text: &str) -> usize {
///     text.len()
/// }
///
/// let thread = std::thread::spawn((|| hash("text")).in_current_run());
/// assert_eq!(thread.join().ok(), Some(4));
/// ```
pub trait RunFnExt<R>: FnOnce() -> R + Sized {
    /// Attaches the context of this call, its trace and its run, while the closure runs.
    fn in_current_run(self) -> impl FnOnce() -> R;
}

impl<R, F: FnOnce() -> R> RunFnExt<R> for F {
    fn in_current_run(self) -> impl FnOnce() -> R {
        let run = RemoteContext::current();
        move || run.in_scope(self)
    }
}

pin_project! {
    /// A future that runs under the context of another place.
    ///
    /// Returned by [`RunFutureExt::in_current_run`] and [`RemoteContext::scope`].
    ///
    /// ```
    /// use hub_otel::propagation::{InRun, RunFutureExt};
    ///
    /// fn carried<F: Future>(task: F) -> InRun<F> {
    ///     task.in_current_run()
    /// }
    /// # let _ = carried(async {});
    /// ```
    #[must_use = "futures do nothing unless they are awaited or polled"]
    pub struct InRun<F> {
        #[pin]
        future: Option<F>,
        // `None` without telemetry.
        context: Option<Context>,
    }

    impl<F> PinnedDrop for InRun<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _attached = this.context.take().map(Context::attach);
            this.future.set(None);
        }
    }
}

impl<F> InRun<F> {
    pub(super) fn new(context: Context, future: F) -> Self {
        Self { future: Some(future), context: Some(context) }
    }
}

impl<F: Future> Future for InRun<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = this.context.clone().map(Context::attach);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => unreachable!("the future is only removed in the destructor"),
        }
    }
}

impl<F> std::fmt::Debug for InRun<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InRun").finish_non_exhaustive()
    }
}
