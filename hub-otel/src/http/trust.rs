//! [`Trust`]: the propagation headers that a server accepts.

use crate::options::Propagation;
use crate::propagation::{OtelExtractor, adopt_run, propagators};
use http_types::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::Link;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::BaggagePropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The propagation headers that a server accepts from its callers.
///
/// A caller whose `traceparent` is accepted can add spans to any trace, and have each of its
/// requests sampled. A caller whose `baggage` is accepted can set the identity of the run. Headers
/// that OTEL_PROPAGATORS leaves out are never read.
///
/// ```
/// use hub_otel::http::{ServerLayer, Trust};
///
/// let public = ServerLayer::new().trust(Trust::Link);
/// let internal = ServerLayer::new().trust(Trust::TraceAndBaggage);
/// # let _ = (public, internal);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// None: every request starts a trace of its own. For public servers.
    Nothing,
    /// `traceparent` as a link: every request starts a trace of its own, with a link to the
    /// caller's span. For public servers whose callers are instrumented too.
    Link,
    /// `traceparent` and `tracestate`, but not `baggage`.
    #[default]
    Trace,
    /// `traceparent`, `tracestate` and `baggage`, which contains the identity of the caller's run.
    /// For internal callers.
    TraceAndBaggage,
}

/// The parent of a request's span.
pub(super) struct RequestParent {
    pub(super) context: Context,
    pub(super) links: Vec<Link>,
}

impl Trust {
    /// Reads the accepted headers. `local` is the context without them.
    pub(super) fn extract(
        self,
        headers: &HeaderMap,
        local: Context,
        propagation: Propagation,
    ) -> RequestParent {
        let mut parent = RequestParent { context: local, links: Vec::new() };
        if self == Self::Nothing {
            return parent;
        }
        let carrier = OtelExtractor::new(headers);
        if propagation.trace_context && headers.contains_key("traceparent") {
            let propagator = TraceContextPropagator::new();
            let remote = propagator.extract_with_context(&parent.context, &carrier);
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
            && propagators::baggage_is_enabled(propagation)
            && headers.contains_key("baggage")
        {
            let propagator = BaggagePropagator::new();
            let context = propagator.extract_with_context(&parent.context, &carrier);
            parent.context = adopt_run(context, headers);
        }
        parent
    }
}
