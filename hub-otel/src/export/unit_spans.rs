//! The spans of units: their sampling, and their way into the queue.

use crate::config::sampler::ValueLimit;
use crate::export::console::ConsoleExporter;
use crate::export::ended_span::{EndedSpan, to_span_data};
use crate::export::limits::size_of_unit_span;
use crate::export::queue::Queue;
use crate::sdk_types::SdkTracer;
use crate::semconv::event;
use crate::unit::ending::SpanEnd;
use crate::unit::span::{RecordLimits, UnitSpan, UnitSpans};
use crate::unit::span_facts::{AttributeRef, SpanFacts, StatusRef};
use opentelemetry::Context;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, Status, TraceContextExt, TraceFlags, Tracer,
};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, ShouldSample, SpanLimits, SpanProcessor,
};
use std::borrow::Cow;
use std::sync::Arc;

/// The spans of units as records of this library.
///
/// Sampler and ids are those of the SDK's tracer. A span goes into the queue as it is; one that
/// may exceed the limits of its size, and every span if there is no queue, goes to the processor as
/// the SDK's data.
#[derive(Debug)]
pub(crate) struct RecordedUnitSpans<P> {
    /// One of the SDK's samplers, which read neither attributes nor links.
    pub(crate) sampler: Box<dyn ShouldSample>,
    pub(crate) ids: RandomIdGenerator,
    pub(crate) limits: RecordLimits,
    pub(crate) value_limit: ValueLimit,
    pub(crate) queue: Option<Arc<Queue<EndedSpan>>>,
    pub(crate) console: Option<Arc<ConsoleExporter>>,
    pub(crate) processor: P,
}

impl<P: SpanProcessor> UnitSpans for RecordedUnitSpans<P> {
    fn limits(&self) -> RecordLimits {
        self.limits
    }

    /// Does what the SDK's tracer does to build a span.
    fn begin(&self, span: &mut UnitSpan, parent: &Context) -> bool {
        let span_id = self.ids.new_span_id();
        let parent_span = parent.span();
        let parent_context = parent_span.span_context();
        let trace_id = if parent_context.is_valid() {
            span.parent_id = parent_context.span_id();
            span.parent_is_remote = parent_context.is_remote();
            parent_context.trace_id()
        } else {
            self.ids.new_trace_id()
        };
        let sampled = self.sampler.should_sample(
            Some(parent),
            trace_id,
            &span.name,
            &span.span_kind,
            &[],
            &[],
        );
        let is_recorded = sampled.decision == SamplingDecision::RecordAndSample;
        let flags = if !is_recorded {
            TraceFlags::default()
        } else if parent_context.is_valid() {
            parent_context.trace_flags().with_sampled(true)
        } else {
            TraceFlags::SAMPLED
        };
        span.context = SpanContext::new(trace_id, span_id, flags, false, sampled.trace_state);
        if is_recorded && let Some(console) = &self.console {
            console.span_started(&span.context);
        }
        is_recorded
    }

    fn end(&self, span: Box<UnitSpan>, end: SpanEnd) {
        let sized = self
            .queue
            .as_ref()
            .and_then(|queue| Some((queue, size_of_unit_span(&span, &end, self.value_limit)?)));
        match sized {
            Some((queue, bytes)) => queue.push(EndedSpan::Unit(span, end), bytes),
            None => self.processor.on_end(to_span_data(*span, &end, &self.limits)),
        }
    }
}

/// The spans of units as the SDK's spans, for the sampler, the id generator and the span processors
/// of the application.
#[derive(Debug)]
pub(crate) struct SdkUnitSpans {
    pub(crate) tracer: SdkTracer,
}

impl UnitSpans for SdkUnitSpans {
    /// The SDK's span has its own limits.
    fn limits(&self) -> RecordLimits {
        RecordLimits {
            attributes: usize::MAX,
            events: usize::MAX,
            links: usize::MAX,
            event_attributes: usize::MAX,
            link_attributes: usize::MAX,
        }
    }

    fn begin(&self, span: &mut UnitSpan, parent: &Context) -> bool {
        let mut attributes = Vec::new();
        span.start_attributes(&mut attributes);
        attributes.extend(span.fields.iter().map(AttributeRef::from));
        span.gen_ai_attributes(&mut attributes);
        let attributes = attributes.into_iter().map(AttributeRef::to_key_value).collect();
        let links = span.rare.as_mut().map(|rare| std::mem::take(&mut rare.links));
        let builder = SpanBuilder {
            name: span.name.clone(),
            span_kind: Some(span.span_kind.clone()),
            start_time: Some(span.started),
            attributes: Some(attributes),
            events: None,
            links: links.filter(|links| !links.is_empty()),
        };
        let parent_span = parent.span();
        span.parent_id = parent_span.span_context().span_id();
        span.parent_is_remote = parent_span.span_context().is_remote();
        #[expect(clippy::disallowed_methods, reason = "the spans of units, as the SDK's")]
        let sdk = self.tracer.build_with_context(builder, parent);
        span.context = sdk.span_context().clone();
        let is_recorded = sdk.is_recording();
        if is_recorded {
            span.rare().sdk = Some(sdk);
        }
        is_recorded
    }

    fn end(&self, mut span: Box<UnitSpan>, end: SpanEnd) {
        let Some(mut sdk) = span.rare().sdk.take() else { return };
        let facts = SpanFacts { span: &span, end: Some(&end) };
        let mut attributes = Vec::new();
        facts.end_attributes(&mut attributes);
        attributes.into_iter().for_each(|late| sdk.set_attribute(late.to_key_value()));
        if let Some(exception) = facts.exception() {
            let attributes = exception.attributes().map(AttributeRef::to_key_value).to_vec();
            sdk.add_event_with_timestamp(event::EXCEPTION, facts.ended(), attributes);
        }
        match facts.status() {
            StatusRef::Unset => {}
            StatusRef::Ok => sdk.set_status(Status::Ok),
            StatusRef::Error(text) => {
                sdk.set_status(Status::Error { description: Cow::Owned(text.to_owned()) });
            }
        }
        sdk.end_with_timestamp(facts.ended());
    }
}

/// Returns the limits of a provider, for the records of units.
pub(crate) fn record_limits(limits: &SpanLimits) -> RecordLimits {
    let count = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    RecordLimits {
        attributes: count(limits.max_attributes_per_span),
        events: count(limits.max_events_per_span),
        links: count(limits.max_links_per_span),
        event_attributes: count(limits.max_attributes_per_event),
        link_attributes: count(limits.max_attributes_per_link),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::random;
    use crate::semconv::library_scope;
    use crate::unit::span_facts::keep_last;
    use opentelemetry::trace::{SpanId, TracerProvider};
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    /// Keeps the spans that end.
    #[derive(Debug, Clone, Default)]
    struct Collect(Arc<Mutex<Vec<SpanData>>>);

    impl SpanProcessor for Collect {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    impl Collect {
        /// Returns the only span, with the last value of each key, sorted.
        fn span(&self) -> SpanData {
            let mut spans = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
            let mut span = spans.pop().expect("a span");
            assert!(spans.is_empty());
            keep_last(&mut span.attributes, |attribute| attribute.key.as_str());
            // Their order has no meaning.
            span.attributes.sort_by(|one, other| one.key.cmp(&other.key));
            span
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_record_has_the_same_data_as_the_span_of_the_sdk(
            limits in random::limits(),
            at_start in vec(random::change(), 0..3),
            changes in vec(random::change(), 0..6),
            mut begun in random::new_unit_span(),
            end in random::span_end(),
            parent in proptest::option::of(random::context()),
        ) {
            // The SDK's span takes the GenAI attributes at its start, for samplers: low limits drop
            // others.
            begun.gen_ai = begun.gen_ai.filter(|_| limits.attributes >= 128);
            let collected = Collect::default();
            let count = |limit: usize| u32::try_from(limit).expect("small");
            let provider = SdkTracerProvider::builder()
                .with_sampler(Sampler::AlwaysOn)
                .with_span_limits(SpanLimits {
                    max_events_per_span: count(limits.events),
                    max_attributes_per_span: count(limits.attributes),
                    max_links_per_span: count(limits.links),
                    max_attributes_per_event: count(limits.event_attributes),
                    max_attributes_per_link: count(limits.link_attributes),
                })
                .with_span_processor(collected.clone())
                .build();
            let context = match parent {
                Some(parent) => Context::new().with_remote_span_context(parent),
                None => Context::new(),
            };
            let sdk = SdkUnitSpans { tracer: provider.tracer_with_scope(library_scope()) };
            let recorded = RecordedUnitSpans {
                sampler: Box::new(Sampler::AlwaysOn),
                ids: RandomIdGenerator::default(),
                limits,
                value_limit: ValueLimit::Bytes(usize::MAX),
                queue: None,
                console: None,
                processor: collected.clone(),
            };
            let run = |spans: &dyn UnitSpans| {
                let limits = &spans.limits();
                let mut span = Box::new(random::copy_of(&begun));
                // Only attributes and links are known at the start.
                for change in at_start.iter().cloned() {
                    if matches!(change, random::Change::Attribute(_) | random::Change::Link(..)) {
                        change.apply(&mut span, limits);
                    }
                }
                assert!(spans.begin(&mut span, &context));
                changes.iter().cloned().for_each(|change| change.apply(&mut span, limits));
                spans.end(span, end.clone());
                collected.span()
            };
            let expected = run(&sdk);
            let mut actual = run(&recorded);
            // New ids are random.
            let (own, sdk) = (&actual.span_context, &expected.span_context);
            prop_assert_eq!(own.trace_flags(), sdk.trace_flags());
            prop_assert_eq!(own.trace_state(), sdk.trace_state());
            prop_assert_eq!(own.is_remote(), sdk.is_remote());
            if expected.parent_span_id != SpanId::INVALID {
                prop_assert_eq!(own.trace_id(), sdk.trace_id());
            }
            actual.span_context = expected.span_context.clone();
            prop_assert_eq!(actual, expected);
        }
    }
}
