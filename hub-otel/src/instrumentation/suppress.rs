//! A request that was left out makes no noise further down either: its database and client calls start no traces.
//!
//! Only what would become a trace of its own is silent. Logs, metrics and whatever opens a span itself are untouched.

use opentelemetry::Context;
#[cfg(any(feature = "reqwest", feature = "sqlx"))]
use opentelemetry::trace::TraceContextExt;

#[derive(Debug)]
struct Quiet;

/// The context of a request that is left out.
#[cfg(feature = "axum")]
pub(crate) fn silence(context: &Context) -> Context {
    context.with_value(Quiet)
}

/// Whether a client or database span in `context` would be the root of a trace that nobody asked for.
#[cfg(any(feature = "reqwest", feature = "sqlx"))]
pub(crate) fn is_quiet(context: &Context) -> bool {
    context.get::<Quiet>().is_some() && !context.has_active_span()
}
