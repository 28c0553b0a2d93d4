//! Instruments of calls of models and tools.

use crate::gen_ai::cost::{CallCost, CostMetrics};
use crate::gen_ai::label_values::{LabelValues, MAX_VALUES};
use crate::gen_ai::{InferenceFacts, ToolFacts};
use crate::metrics::instruments::{Overflow, build_counter, build_histogram};
use crate::metrics::overflow_label;
use crate::options::{GenAiNames, Options};
use crate::semconv::gen_ai::{self as g, modality, operation, token_type};
use crate::semconv::{attribute as a, kv, metric};
use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::{KeyValue, StringValue};
use std::borrow::Cow;

/// Instruments of one instance.
pub(super) struct GenAiMetrics {
    names: GenAiNames,
    operation_duration: Histogram<f64>,
    token_usage: Histogram<f64>,
    time_to_first_chunk: Histogram<f64>,
    tool_duration: Histogram<f64>,
    latest: LatestMetrics,
    cost: CostMetrics,
    models: LabelValues,
    providers: LabelValues,
    tools: LabelValues,
    error_types: LabelValues,
    overflow: Overflow,
}

/// Instruments of the latest conventions.
struct LatestMetrics {
    duration: Histogram<f64>,
    time_to_first_chunk: Histogram<f64>,
    input_tokens: Histogram<f64>,
    output_tokens: Histogram<f64>,
    usage_input: Counter<u64>,
    usage_output: Counter<u64>,
    usage_cache_read: Counter<u64>,
    usage_cache_write: Counter<u64>,
    usage_reasoning: Counter<u64>,
}

impl GenAiMetrics {
    pub(super) fn new(meter: &Meter, options: &Options) -> Self {
        Self {
            names: options.gen_ai_names,
            operation_duration: build_histogram(meter, &metric::GEN_AI_OPERATION_DURATION),
            token_usage: build_histogram(meter, &metric::GEN_AI_TOKEN_USAGE),
            time_to_first_chunk: build_histogram(meter, &metric::GEN_AI_TIME_TO_FIRST_CHUNK),
            tool_duration: build_histogram(meter, &metric::GEN_AI_TOOL_DURATION),
            latest: LatestMetrics::new(meter),
            cost: CostMetrics::new(meter, options.max_label_sets),
            models: LabelValues::new(g::REQUEST_MODEL, MAX_VALUES),
            providers: LabelValues::new(g::PROVIDER_NAME, MAX_VALUES),
            tools: LabelValues::new(g::TOOL_NAME, MAX_VALUES),
            error_types: LabelValues::new(a::ERROR_TYPE, MAX_VALUES),
            overflow: Overflow::default(),
        }
    }

    /// Records a call of a counted operation.
    pub(super) fn record_inference(&self, facts: &InferenceFacts, cost: CallCost) {
        self.cost.record(facts, cost);
        let labels = Labels::of_call(self, facts);
        let is_inference = operation::INFERENCE.contains(&facts.operation.as_str());
        if self.names != GenAiNames::Latest || !is_inference {
            self.record_released(facts, &labels);
        }
        if self.names != GenAiNames::Released && is_inference {
            self.latest.record(facts, &labels);
        }
    }

    fn record_released(&self, facts: &InferenceFacts, labels: &Labels) {
        self.operation_duration.record(facts.duration.as_secs_f64(), &labels.with_error());
        if let Some(time) = facts.time_to_first_chunk {
            self.time_to_first_chunk.record(time.as_secs_f64(), &labels.call);
        }
        let usage = &facts.usage;
        for (kind, tokens) in [(token_type::INPUT, usage.input), (token_type::OUTPUT, usage.output)]
        {
            if let Some(tokens) = tokens {
                self.token_usage.record(tokens as f64, &labels.with(kv(g::TOKEN_TYPE, kind)));
            }
        }
    }

    /// Records an execution of a tool.
    pub(super) fn record_tool(&self, facts: &ToolFacts) {
        let labels = Labels::of_tool(self, facts);
        self.tool_duration.record(facts.duration.as_secs_f64(), &labels.with_error());
    }

    #[cfg(feature = "testing")]
    pub(super) fn overflowed(&self) -> u64 {
        self.overflow.times()
    }
}

impl LatestMetrics {
    fn new(meter: &Meter) -> Self {
        Self {
            duration: build_histogram(meter, &metric::GEN_AI_INFERENCE_DURATION),
            time_to_first_chunk: build_histogram(
                meter,
                &metric::GEN_AI_INFERENCE_TIME_TO_FIRST_CHUNK,
            ),
            input_tokens: build_histogram(meter, &metric::GEN_AI_INFERENCE_INPUT_TOKENS),
            output_tokens: build_histogram(meter, &metric::GEN_AI_INFERENCE_OUTPUT_TOKENS),
            usage_input: build_counter(meter, &metric::GEN_AI_USAGE_INPUT_TOKENS),
            usage_output: build_counter(meter, &metric::GEN_AI_USAGE_OUTPUT_TOKENS),
            usage_cache_read: build_counter(meter, &metric::GEN_AI_USAGE_CACHE_READ_TOKENS),
            usage_cache_write: build_counter(meter, &metric::GEN_AI_USAGE_CACHE_WRITE_TOKENS),
            usage_reasoning: build_counter(meter, &metric::GEN_AI_USAGE_REASONING_TOKENS),
        }
    }

    /// Records an inference. Tokens that the provider does not report are 0, by the conventions.
    fn record(&self, facts: &InferenceFacts, labels: &Labels) {
        let with_error = labels.with_error();
        self.duration.record(facts.duration.as_secs_f64(), &with_error);
        if let Some(time) = facts.time_to_first_chunk {
            self.time_to_first_chunk.record(time.as_secs_f64(), &labels.call);
        }
        let usage = &facts.usage;
        self.input_tokens.record(usage.input.unwrap_or(0) as f64, &with_error);
        self.output_tokens.record(usage.output.unwrap_or(0) as f64, &with_error);
        let with_modality = labels.with(kv(g::TOKEN_MODALITY, modality::UNKNOWN));
        for (counter, tokens) in [
            (&self.usage_input, usage.input),
            (&self.usage_output, usage.output),
            (&self.usage_cache_read, usage.cache_read),
            (&self.usage_cache_write, usage.cache_write),
            (&self.usage_reasoning, usage.reasoning),
        ] {
            counter.add(tokens.unwrap_or(0), &with_modality);
        }
    }
}

/// Labels of one call.
struct Labels {
    call: Vec<KeyValue>,
    error: Option<KeyValue>,
    /// A value is beyond its cap: the only label is the overflow label.
    is_overflowing: bool,
}

impl Labels {
    fn of_call(metrics: &GenAiMetrics, facts: &InferenceFacts) -> Self {
        let mut labels = Self::new();
        labels.call.push(kv(g::OPERATION_NAME, facts.operation.clone()));
        labels.add(
            g::PROVIDER_NAME,
            facts.provider.as_ref(),
            &metrics.providers,
            &metrics.overflow,
        );
        labels.add(
            g::REQUEST_MODEL,
            facts.request_model.as_ref(),
            &metrics.models,
            &metrics.overflow,
        );
        labels.finish(facts.error_type.as_ref(), metrics)
    }

    fn of_tool(metrics: &GenAiMetrics, facts: &ToolFacts) -> Self {
        let mut labels = Self::new();
        labels.add(g::TOOL_NAME, Some(&facts.name), &metrics.tools, &metrics.overflow);
        labels.finish(facts.error_type.as_ref(), metrics)
    }

    fn new() -> Self {
        Self { call: Vec::with_capacity(4), error: None, is_overflowing: false }
    }

    fn add(
        &mut self,
        key: &'static str,
        value: Option<&StringValue>,
        values: &LabelValues,
        overflow: &Overflow,
    ) {
        let Some(value) = value else { return };
        if values.admits(value.as_str(), overflow) {
            self.call.push(kv(key, value.clone()));
        } else {
            self.is_overflowing = true;
        }
    }

    fn finish(mut self, error_type: Option<&Cow<'static, str>>, metrics: &GenAiMetrics) -> Self {
        if let Some(error_type) = error_type {
            if metrics.error_types.admits(error_type, &metrics.overflow) {
                self.error = Some(kv(a::ERROR_TYPE, error_type.clone()));
            } else {
                self.is_overflowing = true;
            }
        }
        if self.is_overflowing {
            self.call = vec![overflow_label()];
            self.error = None;
        }
        self
    }

    fn with(&self, label: KeyValue) -> Vec<KeyValue> {
        let mut labels = self.call.clone();
        if !self.is_overflowing {
            labels.push(label);
        }
        labels
    }

    fn with_error(&self) -> Vec<KeyValue> {
        let mut labels = self.call.clone();
        labels.extend(self.error.clone());
        labels
    }
}
