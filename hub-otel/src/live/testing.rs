//! Spans for the unit tests.

use crate::semconv::span::WORKFLOW_EXECUTE;
use crate::semconv::value::trigger::MANUAL;
use crate::semconv::{SCOPE, attribute as a, kv};
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::time::{Duration, UNIX_EPOCH};

/// Returns a span of one second, without attributes. Parent 0 is none.
pub(crate) fn span(trace: u128, id: u64, parent: u64, name: &'static str) -> SpanData {
    let start_time = UNIX_EPOCH + Duration::from_secs(1_000 + id);
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(trace.to_be_bytes()),
            SpanId::from_bytes(id.to_be_bytes()),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::from_bytes(parent.to_be_bytes()),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time,
        end_time: start_time + Duration::from_secs(1),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("other").build(),
    }
}

/// Returns the span of a workflow's segment at its start.
pub(crate) fn unit_span(
    trace: u128,
    id: u64,
    parent: u64,
    workflow: &'static str,
    run: &'static str,
) -> SpanData {
    let mut span = span(trace, id, parent, WORKFLOW_EXECUTE);
    span.instrumentation_scope = InstrumentationScope::builder(SCOPE).build();
    span.attributes = vec![
        kv(a::WORKFLOW_RUN_ID, run),
        kv(a::WORKFLOW_ID, workflow),
        kv(a::WORKFLOW_NAME, workflow),
        kv(a::WORKFLOW_TRIGGER, MANUAL),
    ];
    span
}
