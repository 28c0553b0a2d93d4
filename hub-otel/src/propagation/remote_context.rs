//! [`RemoteContext`]: the context of a caller in another process.

use crate::unit::arguments::{IntoParent, sealed};
use opentelemetry::Context;
use opentelemetry::trace::FutureExt;
use std::future::Future;

/// The trace, and possibly the run, that a caller in another process handed over.
///
/// Returned by [`extract`](super::extract), [`extract_run`](super::extract_run) and
/// [`from_env`](super::from_env). It is empty if the caller sent no valid context: what starts
/// under it then begins a trace of its own.
///
/// Give it to one unit as its parent (`.parent(remote)`, or `parent = remote` in a macro), or run
/// any code under it with [`scope`](Self::scope) or [`in_scope`](Self::in_scope). Conversions from
/// and to OpenTelemetry's own type are in [`hub_otel::otel`](crate::otel).
///
/// ```
/// use std::collections::HashMap;
///
/// let headers = HashMap::from([(
///     "traceparent".to_owned(),
///     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
/// )]);
/// let caller = hub_otel::propagation::extract(&headers);
/// hub_otel::agent("scanner", "scan").parent(caller).call(|| ());
/// ```
#[derive(Debug, Clone, Default)]
pub struct RemoteContext(Context);

impl RemoteContext {
    /// Runs `future` under this context: the units and spans that start in it belong to the
    /// caller's trace, and to its run if that was extracted too.
    ///
    /// A task that `future` spawns does not inherit the context, except for `spawn(agent(…))`.
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
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future.with_context(self.0)
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
