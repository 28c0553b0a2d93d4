//! Common parts of the HTTP and database boundaries: selection of the instance, and suppression in
//! excluded requests.
//!
//! Each boundary is one line of the user's code. It records into the current telemetry, or into the
//! one it was given.

use crate::instance;
use crate::instance::{ContextInstanceGuard, Instance};
use opentelemetry::Context;
#[cfg(any(feature = "reqwest", feature = "tower", feature = "sqlx"))]
use opentelemetry::trace::TraceContextExt;
use std::fmt;
use std::sync::Arc;

/// Selects the instance of a boundary: the one in the context, else an explicit one, else the
/// installed one.
///
/// Resolved per request. A layer that is built before `Telemetry::install` therefore records after
/// it.
#[derive(Clone, Default)]
pub(crate) struct InstanceSource(Option<Arc<Explicit>>);

/// Instance that was given to the boundary.
struct Explicit {
    instance: Arc<Instance>,
    _search: ContextInstanceGuard,
}

impl InstanceSource {
    /// Uses the instance that the application chose, if telemetry is enabled in it.
    pub(crate) fn of(instance: Option<&Arc<Instance>>) -> Self {
        instance.cloned().map_or(Self(None), Self::explicit)
    }

    /// Uses `instance` where the context contains no other one.
    fn explicit(instance: Arc<Instance>) -> Self {
        Self(Some(Arc::new(Explicit { instance, _search: ContextInstanceGuard::new() })))
    }

    /// Uses the instance in the current context, for requests that run in tasks without this
    /// context.
    pub(crate) fn from_context() -> Self {
        if !instance::in_use() {
            return Self(None);
        }
        let in_context = |context: &Context| {
            instance::has_instance(context).then(|| instance::find(context)).flatten()
        };
        Context::map_current(in_context).map_or(Self(None), Self::explicit)
    }

    /// Returns the instance of the current request, if there is one.
    pub(crate) fn resolve(&self) -> Option<Arc<Instance>> {
        match &self.0 {
            None => instance::current(),
            Some(explicit) => Context::map_current(|context| {
                if instance::has_instance(context) {
                    instance::find(context)
                } else {
                    Some(explicit.instance.clone())
                }
            }),
        }
    }

    /// Returns the current context with the explicit instance in it, so that nested boundaries
    /// resolve the same one.
    #[cfg(feature = "axum")]
    pub(crate) fn context(&self) -> Context {
        Context::map_current(|context| match &self.0 {
            Some(explicit) if !instance::has_instance(context) => {
                instance::with_instance(context, &explicit.instance)
            }
            _ => context.clone(),
        })
    }
}

impl fmt::Debug for InstanceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = if self.0.is_some() { "explicit" } else { "current" };
        write!(f, "InstanceSource({source})")
    }
}

/// Context value of an excluded request.
#[derive(Debug)]
struct Suppressed;

/// Suppresses the root spans of client and database calls below `context`.
///
/// Used for excluded requests: their calls would start traces of their own. Logs, metrics and units
/// are unaffected.
#[cfg(feature = "axum")]
pub(crate) fn suppress(context: &Context) -> Context {
    context.with_value(Suppressed)
}

/// Returns whether a client or database call in `context` is suppressed: below an excluded request
/// and without a parent.
#[cfg(any(feature = "reqwest", feature = "tower", feature = "sqlx"))]
pub(crate) fn is_suppressed(context: &Context) -> bool {
    context.get::<Suppressed>().is_some() && !context.has_active_span()
}
