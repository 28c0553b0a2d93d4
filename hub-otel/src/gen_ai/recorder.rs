//! Recorder of calls of models and tools, one per instance.

use crate::budget::account::{CallKind, Charge};
use crate::gen_ai::content::ContentPolicy;
use crate::gen_ai::cost::CallCost;
use crate::gen_ai::metrics::GenAiMetrics;
use crate::gen_ai::prices::Prices;
use crate::gen_ai::{InferenceFacts, ToolFacts};
use crate::money::Picodollars;
use crate::options::Options;
use crate::semconv::gen_ai::operation;
#[cfg(feature = "sdk")]
use crate::semconv::library_scope;
#[cfg(feature = "sdk")]
use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanId;
#[cfg(feature = "sdk")]
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

/// Records finished calls. Shared by the units and by the span processor, which exists before the
/// instruments do.
#[derive(Default)]
pub(crate) struct GenAiRecorder {
    metrics: OnceLock<GenAiMetrics>,
    prices: Prices,
    /// Consent to the content of calls.
    pub(crate) content: ContentPolicy,
    /// Logger of the events with content. Unset without the consent to them.
    #[cfg(feature = "sdk")]
    details: OnceLock<SdkLogger>,
    /// Spans with a unit directly below that counted a call of this kind: if the span is such a
    /// call of another library, it is the same one.
    counted_below: Mutex<VecDeque<(SpanId, CallKind)>>,
}

/// Limit of the spans with a counted call below. Most end at once.
const MAX_COUNTED_BELOW: usize = 256;

impl GenAiRecorder {
    pub(crate) fn new(prices: Prices, content: ContentPolicy) -> Self {
        Self { prices, content, ..Self::default() }
    }

    /// Creates the instruments. Calls before are not counted.
    pub(crate) fn start(&self, meter: &Meter, options: &Options) {
        self.metrics.get_or_init(|| GenAiMetrics::new(meter, options));
    }

    /// Sets the provider of the events with content, if they are recorded.
    #[cfg(feature = "sdk")]
    pub(crate) fn set_logs(&self, provider: &SdkLoggerProvider) {
        if self.content.has_events() {
            self.details.get_or_init(|| provider.logger_with_scope(library_scope()));
        }
    }

    /// Returns the logger of the events with content. `None` if they are not recorded.
    #[cfg(feature = "sdk")]
    pub(crate) fn details(&self) -> Option<&SdkLogger> {
        self.details.get()
    }

    /// Records the end of a call of a model, at the prices of `at`. Returns what it adds to the
    /// account of its run; `None` for an operation that is not counted.
    pub(crate) fn record_inference(
        &self,
        facts: &InferenceFacts,
        at: SystemTime,
    ) -> Option<Charge> {
        if !is_counted(facts.operation.as_str()) {
            return None;
        }
        let cost = self.cost_of(facts, at);
        if let Some(metrics) = self.metrics.get() {
            metrics.record_inference(facts, cost);
        }
        let tokens = |count: Option<u64>| count.unwrap_or(0);
        Some(Charge {
            cost: match cost {
                CallCost::Priced(amount) | CallCost::Reported(amount) => Some(amount),
                CallCost::Unpriced | CallCost::Free => None,
            },
            tokens: tokens(facts.usage.input).saturating_add(tokens(facts.usage.output)),
        })
    }

    /// Records the end of an execution of a tool.
    pub(crate) fn record_tool(&self, facts: &ToolFacts) {
        if let Some(metrics) = self.metrics.get() {
            metrics.record_tool(facts);
        }
    }

    /// Stores that a unit below the span `id` counted a call.
    pub(crate) fn add_counted_below(&self, id: SpanId, kind: CallKind) {
        let mut counted = self.counted_below.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() == MAX_COUNTED_BELOW {
            counted.pop_front();
        }
        counted.push_back((id, kind));
    }

    /// Returns whether a unit below the span `id`, which has ended, counted a call of this kind.
    #[cfg(feature = "sdk")]
    pub(crate) fn take_counted_below(&self, id: SpanId, kind: CallKind) -> bool {
        let mut counted = self.counted_below.lock().unwrap_or_else(PoisonError::into_inner);
        let is_counted = counted.contains(&(id, kind));
        counted.retain(|(span, _)| *span != id);
        is_counted
    }

    fn cost_of(&self, facts: &InferenceFacts, at: SystemTime) -> CallCost {
        if let Some(amount) = facts.reported_cost.and_then(Picodollars::from_usd) {
            return CallCost::Reported(amount);
        }
        let has_usage = facts.usage.input.is_some() || facts.usage.output.is_some();
        match self.prices.price(facts, at) {
            Some(amount) => CallCost::Priced(amount),
            None if facts.error_type.is_some() && !has_usage => CallCost::Free,
            None => CallCost::Unpriced,
        }
    }

    /// Returns the number of label values that were counted in an overflow series.
    #[cfg(feature = "testing")]
    pub(crate) fn overflowed(&self) -> u64 {
        self.metrics.get().map_or(0, GenAiMetrics::overflowed)
    }
}

impl std::fmt::Debug for GenAiRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GenAiRecorder").finish_non_exhaustive()
    }
}

/// Returns whether an operation is a call of a model: the others repeat the usage of such calls, or
/// have none.
pub(crate) fn is_counted(name: &str) -> bool {
    operation::INFERENCE.contains(&name) || name == operation::EMBEDDINGS
}
