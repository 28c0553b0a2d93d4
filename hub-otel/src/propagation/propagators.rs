//! Which formats are spoken, in both directions: what OTEL_PROPAGATORS says to the telemetry that a context leads to.
//!
//! Baggage that may travel still goes only to destinations that the program names, and is believed only where it says so.

use crate::instance;
use crate::options::Propagation;
use opentelemetry::Context;

/// Whether `traceparent` and `tracestate` are.
pub(crate) fn trace(propagation: Propagation) -> bool {
    propagation.trace_context
}

/// Whether `baggage` is, where the program asks for it: unset is no refusal.
pub(crate) fn baggage(propagation: Propagation) -> bool {
    propagation.baggage != Some(false)
}

/// What the telemetry that `context` leads to was told.
pub(super) fn within(context: &Context) -> Propagation {
    if !instance::in_use() {
        return Propagation::default();
    }
    instance::find(context)
        .map_or_else(Propagation::default, |instance| instance.options.propagation)
}

/// What the current telemetry was told.
pub(super) fn here() -> Propagation {
    Context::map_current(within)
}
