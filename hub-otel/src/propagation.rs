//! What travels between processes: W3C Trace Context everywhere, a run's identity only where the caller says so.
//!
//! OTEL_PROPAGATORS decides which of the two is spoken at all; other formats (b3, Jaeger) are not.
//!
//! Carriers are maps, HTTP headers (`Headers`), anything with OpenTelemetry's `Injector` and `Extractor`, and the
//! environment of a child process ([`to_env`], [`from_env`]).
//!
//! ```
//! use std::collections::HashMap;
//! let mut message = HashMap::new();
//! hub_otel::propagation::inject(&mut message);                       // in the sender
//! let parent = hub_otel::propagation::extract(&message);             // in the receiver
//! hub_otel::agent("scanner", "scan").parent(parent);
//! ```

mod baggage;
mod baggage_allow_list;
mod env_carrier;
mod follow;
mod header_carrier;
pub(crate) mod propagators;

pub use crate::propagation::baggage_allow_list::AllowList;
pub use crate::propagation::env_carrier::{from_env, to_env};
pub use crate::propagation::follow::{Follow, follow};
#[cfg(any(feature = "axum", feature = "reqwest"))]
pub use crate::propagation::header_carrier::{Headers, HeadersMut};
pub use opentelemetry::Context;
pub use opentelemetry::propagation::Extractor;
pub use opentelemetry::propagation::Injector;

use crate::instance;
use crate::unit::{lookup as running, run_id};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::SpanId;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::TraceFlags;
use opentelemetry::trace::TraceId;
use opentelemetry::trace::TraceState;
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// Writes `traceparent` and `tracestate` of the current context. No baggage: see [`AllowList`].
pub fn inject(carrier: &mut dyn Injector) {
    if instance::in_use() && propagators::trace(propagators::here()) {
        TraceContextPropagator::new().inject_context(&outgoing(), carrier);
    }
}

/// The context that `traceparent` and `tracestate` speak of: to be given as `parent = …`, or to [`follow`].
///
/// Baggage is left where it is: what a stranger sends does not become the identity of a run. See [`extract_run`].
pub fn extract(carrier: &dyn Extractor) -> Context {
    let context = if propagators::trace(propagators::here()) {
        TraceContextPropagator::new().extract_with_context(&Context::new(), carrier)
    } else {
        Context::new()
    };
    Context::map_current(|current| instance::inherit_instance(current, context))
}

/// Like [`inject`], and the run's identity with it, as the baggage `workflow.run.id` and `workflow.id`. For a
/// destination that you know; [`AllowList`] keeps the list of those.
pub fn inject_run(carrier: &mut dyn Injector) {
    inject(carrier);
    if propagators::baggage(propagators::here()) {
        baggage::inject(carrier);
    }
}

/// Like [`extract`], and the run's identity with it: agents that start under the context belong to that run. For a
/// sender that you trust.
pub fn extract_run(carrier: &dyn Extractor) -> Context {
    adopt_run(extract(carrier), carrier)
}

/// `context` with the run's identity of a sender that is trusted.
pub(crate) fn adopt_run(context: Context, carrier: &dyn Extractor) -> Context {
    if propagators::baggage(propagators::within(&context)) {
        baggage::extract(context, carrier)
    } else {
        context
    }
}

/// The current context, as the next process shall see it. Under a unit that only counts there is no span to name, and
/// the next process must still not begin a trace by itself: it is told of an unsampled one.
fn outgoing() -> Context {
    let current = Context::current();
    if current.span().span_context().is_valid() || !running::counts(&current) {
        return current;
    }
    let (high, low, span) = (run_id::random(), run_id::random(), run_id::random());
    let unsampled = SpanContext::new(
        TraceId::from((u128::from(high) << 64) | u128::from(low | 1)),
        SpanId::from(span | 1),
        TraceFlags::NOT_SAMPLED,
        false,
        TraceState::NONE,
    );
    current.with_remote_span_context(unsampled)
}
