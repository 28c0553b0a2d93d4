//! [`RemoteContext`]: the context of a caller in another process, task or thread.

use crate::instance;
use crate::propagation::run_ext::InRun;
use crate::unit::arguments::{IntoLink, IntoParent, sealed};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use std::future::Future;

/// The trace, and possibly the run, that a caller in another process, task or thread handed over.
///
/// Returned by [`extract`](super::extract), [`extract_run`](super::extract_run),
/// [`from_env`](super::from_env) and [`current`](Self::current). It is empty if the caller sent no
/// valid context: what starts under it then begins a trace of its own.
///
/// Give it to one unit as its parent (`.parent(remote)`, or `parent = remote` in a macro), or run
/// any code under it with [`scope`](Self::scope) or [`in_scope`](Self::in_scope). A unit that works
/// for several callers has no single parent: give their contexts to `links`. Conversions from and
/// to OpenTelemetry's own type are in [`hub_otel::otel`](crate::otel).
///
/// ```
/// use std::collections::HashMap;
///
/// let headers = HashMap::from([(
///     "traceparent".to_owned(),
///     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
/// )]);
/// let caller = hub_otel::propagation::extract(&headers);
/// hub_otel::agent("scanner", "scan").parent(caller).call(|| ());
/// ```
#[derive(Debug, Clone, Default)]
pub struct RemoteContext(Context);

impl RemoteContext {
    /// Returns the context of this call, for another task or thread of this process: part of a
    /// message in a channel, or captured by a callback.
    ///
    /// ```
    /// use hub_otel::propagation::RemoteContext;
    ///
    /// #[hub_otel::instrument_agent(id = "scanner", action = "scan")]
    /// async fn scan(path: &str) {}
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    /// let _ = sender.send((RemoteContext::current(), "/srv")).await;
    /// if let Some((run, path)) = receiver.recv().await {
    ///     run.scope(scan(path)).await;
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn current() -> Self {
        Self(if instance::in_use() { Context::current() } else { Context::new() })
    }

    /// Runs `future` under this context: the units and spans that start in it belong to the
    /// caller's trace, and to its run if that was extracted too.
    ///
    /// A task that `future` spawns does not inherit the context, except for `spawn(agent(…))` and
    /// with [`in_current_run`](super::RunFutureExt::in_current_run).
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// #[hub_otel::instrument_agent(id = "scanner", action = "scan")]
    /// async fn scan(path: &str) {}
    ///
    /// async fn receive(headers: HashMap<String, String>) {
    ///     let caller = hub_otel::propagation::extract_run(&headers);
    ///     caller.scope(scan("/srv")).await;
    /// }
    /// ```
    pub fn scope<F: Future>(self, future: F) -> InRun<F> {
        InRun::new(self.0, future)
    }

    /// Runs `function` under this context, on this thread.
    ///
    /// ```
    /// let caller = hub_otel::propagation::from_env();
    /// let sum = caller.in_scope(|| 1 + 1);
    /// # assert_eq!(sum, 2);
    /// ```
    pub fn in_scope<R>(&self, function: impl FnOnce() -> R) -> R {
        let _attached = self.0.clone().attach();
        function()
    }

    pub(crate) fn new(context: Context) -> Self {
        Self(context)
    }

    pub(crate) fn as_otel(&self) -> &Context {
        &self.0
    }

    pub(crate) fn into_otel(self) -> Context {
        self.0
    }
}

impl sealed::Sealed for RemoteContext {}
impl IntoParent for RemoteContext {
    fn into_parent(self) -> Option<Context> {
        Some(self.into_otel())
    }
}

impl sealed::Sealed for &RemoteContext {}
impl IntoParent for &RemoteContext {
    fn into_parent(self) -> Option<Context> {
        Some(self.as_otel().clone())
    }
}

impl IntoLink for RemoteContext {
    fn into_link(self) -> Option<SpanContext> {
        IntoLink::into_link(&self)
    }
}

impl IntoLink for &RemoteContext {
    fn into_link(self) -> Option<SpanContext> {
        IntoLink::into_link(self.0.span().span_context())
    }
}
