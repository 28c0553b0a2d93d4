//! How far a caller is believed about the trace that its request belongs to.

use crate::options::Propagation;
use crate::propagation::{OtelExtractor, adopt_run, propagators};
use http_types::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::Link;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::BaggagePropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// What a server takes from a request's W3C headers.
///
/// A stranger who is believed can put spans into any trace and have every request sampled; one whose baggage is taken can
/// put words into it. Whatever is believed, OTEL_PROPAGATORS decides what is read at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Nothing: every request starts a trace of its own. For a public edge.
    Nothing,
    /// A trace of its own, with a link to the caller's. For a public edge whose callers are instrumented too.
    Link,
    /// `traceparent` and `tracestate`; `baggage` is dropped.
    #[default]
    Trace,
    /// `baggage` too, and with it the identity of the run that the caller works for. For callers that are your own.
    TraceAndBaggage,
}

/// Where a request's span belongs.
pub(super) struct Parent {
    pub(super) context: Context,
    pub(super) links: Vec<Link>,
}

impl Trust {
    pub(super) fn read(self, headers: &HeaderMap, local: Context, told: Propagation) -> Parent {
        let mut parent = Parent { context: local, links: Vec::new() };
        if self == Self::Nothing {
            return parent;
        }
        let carrier = OtelExtractor(headers);
        if told.trace_context && headers.contains_key("traceparent") {
            let remote =
                TraceContextPropagator::new().extract_with_context(&parent.context, &carrier);
            if self == Self::Link {
                let caller = remote.span().span_context().clone();
                if caller.is_remote() && caller.is_valid() {
                    parent.links.push(Link::new(caller, Vec::new(), 0));
                }
                return parent;
            }
            parent.context = remote;
        }
        if self == Self::TraceAndBaggage
            && propagators::baggage_is_enabled(told)
            && headers.contains_key("baggage")
        {
            let context = BaggagePropagator::new().extract_with_context(&parent.context, &carrier);
            parent.context = adopt_run(context, headers);
        }
        parent
    }
}
