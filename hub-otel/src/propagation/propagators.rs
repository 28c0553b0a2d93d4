//! The propagators that OTEL_PROPAGATORS enables, for both directions.
//!
//! Enabled baggage is still sent only to the destinations that the program names, and read only
//! from the callers that it trusts.

use crate::instance;
use crate::options::Propagation;
use opentelemetry::Context;

/// Returns `true` unless OTEL_PROPAGATORS is set and leaves `baggage` out.
pub(crate) fn baggage_is_enabled(propagation: Propagation) -> bool {
    propagation.baggage != Some(false)
}

/// Returns the propagators of the telemetry that `context` records into.
pub(super) fn of(context: &Context) -> Propagation {
    if !instance::in_use() {
        return Propagation::default();
    }
    instance::find(context)
        .map_or_else(Propagation::default, |instance| instance.options.propagation)
}

/// Returns the propagators of the telemetry that the caller records into.
pub(super) fn current() -> Propagation {
    Context::map_current(of)
}
