//! Counters of cost and tokens of calls, by agent and workflow.

use crate::gen_ai::label_values::{LabelValues, MAX_VALUES};
use crate::gen_ai::{InferenceFacts, Run};
use crate::metrics::instruments::{Overflow, build_counter, build_f64_counter};
use crate::metrics::overflow_label;
use crate::money::Picodollars;
use crate::semconv::attribute::label;
use crate::semconv::gen_ai::token_type;
use crate::semconv::value::cost_source;
use crate::semconv::{kv, metric};
use opentelemetry::metrics::{Counter, Meter};
use opentelemetry::{KeyValue, StringValue};

/// Cost of a call and where it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallCost {
    /// By a price table or by the user's function.
    Priced(Picodollars),
    /// By the provider.
    Reported(Picodollars),
    /// No price is known.
    Unpriced,
    /// The call failed without usage.
    Free,
}

/// Instruments of the cost.
pub(super) struct CostMetrics {
    cost: Counter<f64>,
    unpriced: Counter<u64>,
    tokens: Counter<u64>,
    agents: LabelValues,
    workflows: LabelValues,
    models: LabelValues,
    /// Of its own: the metrics of the call count the same values.
    overflow: Overflow,
}

impl CostMetrics {
    pub(super) fn new(meter: &Meter, max_ids: usize) -> Self {
        Self {
            cost: build_f64_counter(meter, &metric::AGENT_COST),
            unpriced: build_counter(meter, &metric::AGENT_COST_UNPRICED_CALLS),
            tokens: build_counter(meter, &metric::AGENT_TOKENS),
            agents: LabelValues::new(label::AGENT_ID, max_ids),
            workflows: LabelValues::new(label::WORKFLOW_ID, max_ids),
            models: LabelValues::new(label::MODEL, MAX_VALUES),
            overflow: Overflow::default(),
        }
    }

    pub(super) fn record(&self, facts: &InferenceFacts, cost: CallCost) {
        match cost {
            CallCost::Priced(amount) => self.add(facts, amount, cost_source::PRICED),
            CallCost::Reported(amount) => self.add(facts, amount, cost_source::REPORTED),
            CallCost::Unpriced => self.unpriced.add(1, &self.labels(facts, None)),
            CallCost::Free => {}
        }
        let usage = &facts.usage;
        for (kind, tokens) in [(token_type::INPUT, usage.input), (token_type::OUTPUT, usage.output)]
        {
            if let Some(tokens) = tokens {
                let kind = kv(label::TYPE, kind);
                self.tokens.add(tokens, &self.labels(facts, Some(kind)));
            }
        }
    }

    fn add(&self, facts: &InferenceFacts, amount: Picodollars, source: &'static str) {
        let source = kv(label::SOURCE, source);
        self.cost.add(amount.usd(), &self.labels(facts, Some(source)));
    }

    /// Returns the labels, and `more` unless a value is beyond its cap. A call outside an agent or
    /// a workflow has an empty one.
    fn labels(&self, facts: &InferenceFacts, more: Option<KeyValue>) -> Vec<KeyValue> {
        let Run { agent_id, workflow_id } = &facts.run;
        let model = facts.request_model.as_ref().or(facts.response_model.as_ref());
        let values = [
            (label::AGENT_ID, agent_id.as_ref(), &self.agents),
            (label::WORKFLOW_ID, workflow_id.as_ref(), &self.workflows),
            (label::MODEL, model, &self.models),
        ];
        let mut labels = Vec::with_capacity(4);
        for (key, value, known) in values {
            let value = value.cloned().unwrap_or_else(|| StringValue::from(""));
            if !known.admits(value.as_str(), &self.overflow) {
                return vec![overflow_label()];
            }
            labels.push(kv(key, value));
        }
        labels.extend(more);
        labels
    }
}
