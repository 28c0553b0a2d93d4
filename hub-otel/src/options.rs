//! Settings that the pipeline resolves once and every recording reads.

/// Settings of one [`Instance`](crate::instance::Instance).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// `false` leaves the span status of a successful unit unset.
    pub(crate) ok_status: bool,
    /// Adds the GenAI attributes to every unit.
    pub(crate) gen_ai: bool,
    /// Destination of the exception of a failed unit.
    pub(crate) exceptions: Exceptions,
    /// Sampler decisions that need no call of the sampler.
    pub(crate) sampling: Sampling,
    /// Headers that the boundaries read and write.
    pub(crate) propagation: Propagation,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ok_status: true,
            gen_ai: false,
            exceptions: Exceptions::SpanEvent,
            sampling: Sampling::Ask,
            propagation: Propagation::default(),
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
