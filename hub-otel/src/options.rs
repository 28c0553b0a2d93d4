//! Settings that the pipeline resolves once and every recording reads.

use crate::semconv::status;

/// Settings of one [`Instance`](crate::instance::Instance).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// `false` leaves the span status of a successful unit unset.
    pub(crate) ok_status: bool,
    /// Adds the GenAI attributes to workflows and agents.
    pub(crate) gen_ai: bool,
    /// Names the span of an agent `invoke_agent {name}`.
    pub(crate) invoke_agent_names: bool,
    /// Adds `openinference.span.kind`.
    pub(crate) openinference: bool,
    /// Names of the GenAI metrics.
    pub(crate) gen_ai_names: GenAiNames,
    /// Exports the spans of the `tracing` crate.
    pub(crate) tracing_spans: bool,
    /// Destination of the exception of a failed unit.
    pub(crate) exceptions: Exceptions,
    /// Sampler decisions that need no call of the sampler.
    pub(crate) sampling: Sampling,
    /// Headers that the boundaries read and write.
    pub(crate) propagation: Propagation,
    /// Cap of label sets per kind of unit.
    pub(crate) max_label_sets: usize,
}

/// The default cap of label sets per kind of unit.
///
/// Five statuses each are the 2,000 series at which an instrument of the SDK overflows.
pub(crate) const DEFAULT_MAX_LABEL_SETS: usize = 400;

impl Options {
    /// Returns the limit of series of one metric of units: five statuses of each label set.
    pub(crate) fn max_series(&self) -> usize {
        self.max_label_sets.saturating_mul(status::TERMINAL.len())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ok_status: true,
            gen_ai: true,
            invoke_agent_names: false,
            openinference: false,
            gen_ai_names: GenAiNames::Released,
            tracing_spans: true,
            exceptions: Exceptions::SpanEvent,
            sampling: Sampling::Ask,
            propagation: Propagation::default(),
            max_label_sets: DEFAULT_MAX_LABEL_SETS,
        }
    }
}

/// OTEL_PROPAGATORS as the boundaries apply it.
///
/// The boundaries read and write headers themselves, because trust is configured per destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Propagation {
    /// `traceparent` and `tracestate`.
    pub(crate) trace_context: bool,
    /// `baggage`. `None` if the variable is unset: off, unless the code requests it for a
    /// destination.
    pub(crate) baggage: Option<bool>,
}

impl Default for Propagation {
    fn default() -> Self {
        Self { trace_context: true, baggage: None }
    }
}

/// OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN: the signal that carries exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceptions {
    /// A span event. Default.
    SpanEvent,
    /// `logs`: a log record.
    Log,
    /// `logs/dup`: both.
    Both,
}

/// OTEL_SEMCONV_STABILITY_OPT_IN: the names of the GenAI conventions that are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GenAiNames {
    /// Those of the semantic conventions 1.41. Default.
    Released,
    /// `gen_ai_latest_experimental`: those of semantic-conventions-genai.
    Latest,
    /// `gen_ai/dup`: both.
    Both,
}

/// Sampler decisions that are fixed by the configuration. A span that cannot be sampled is never
/// created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// Every span needs a call of the sampler.
    Ask,
    /// Children of unsampled parents are unsampled; roots and children of sampled parents need a
    /// call.
    ParentBased,
    /// No span is ever sampled.
    Off,
}
