//! The sampler of the application. A span for which it panics is sampled.

use crate::contain::contain;
use crate::export::components::named::report_panic;
use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use std::sync::Arc;

/// A sampler whose panics are contained.
#[derive(Debug, Clone)]
pub(crate) struct CheckedSampler(Arc<dyn ShouldSample>);

impl CheckedSampler {
    pub(crate) fn new(sampler: Box<dyn ShouldSample>) -> Self {
        Self(sampler.into())
    }
}

impl ShouldSample for CheckedSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        contain(|| {
            self.0.should_sample(parent_context, trace_id, name, span_kind, attributes, links)
        })
        .unwrap_or_else(|| {
            report_panic("the sampler");
            SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: Vec::new(),
                trace_state: TraceState::default(),
            }
        })
    }
}
