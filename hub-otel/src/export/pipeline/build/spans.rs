//! Traces: encoder, sampler and provider, the console, and the spans of units.

use crate::config::sampler::RootSampler;
use crate::config::signal::{Exporter, Signal};
use crate::export::batch_loop::EncodeBatch;
use crate::export::components::Components;
use crate::export::components::ids::CheckedIds;
use crate::export::components::sampler::CheckedSampler;
use crate::export::console::ConsoleExporter;
use crate::export::encode::encode_spans;
use crate::export::ended_span::EndedSpan;
use crate::export::pipeline::build::BuildContext;
use crate::export::processor::QueueSpanProcessor;
use crate::export::unit_spans::{RecordedUnitSpans, record_limits};
#[cfg(feature = "live")]
use crate::live::unit_spans::LiveUnitSpans;
use crate::unit::span::UnitSpans;
use opentelemetry_sdk::trace::{
    ParentBasedSampler, RandomIdGenerator, Sampler, SdkTracerProvider, ShouldSample, SpanLimits,
};
use std::sync::Arc;

impl BuildContext {
    /// Starts the console exporter of traces, if configured.
    pub(super) fn console(&mut self) -> Option<Arc<ConsoleExporter>> {
        if !self.config.exports(Signal::Traces, Exporter::Console) {
            return None;
        }
        let console = ConsoleExporter::new(
            self.config.deny.clone(),
            self.config.no_color,
            Arc::clone(&self.diagnostics),
        );
        let task = Arc::clone(&console).run(self.phase.clone());
        self.spawn(task);
        Some(console)
    }

    pub(super) fn span_encoder(&self) -> EncodeBatch<EndedSpan> {
        let (resource, deny) = (self.resource.clone(), self.config.deny.clone());
        let limits = record_limits(&self.span_limits());
        let protocol = *self.config.otlp(Signal::Traces).protocol;
        Arc::new(move |spans| encode_spans(spans, &resource, &deny, &limits, protocol))
    }

    /// Returns the sampler of OTEL_TRACES_SAMPLER.
    fn sampler(&self) -> Box<dyn ShouldSample> {
        let root = match self.config.sampler.root {
            RootSampler::On => Sampler::AlwaysOn,
            RootSampler::Off => Sampler::AlwaysOff,
            RootSampler::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        };
        // Not `Sampler::ParentBased`, to which an invalid parent is an unsampled one: it would drop
        // units with `root`.
        if self.config.sampler.parent_based {
            ParentBasedSampler::new(root).into()
        } else {
            root.into()
        }
    }

    fn span_limits(&self) -> SpanLimits {
        let limits = &self.config.limits;
        let max = |setting: usize| u32::try_from(setting).unwrap_or(u32::MAX);
        SpanLimits {
            max_events_per_span: max(*limits.events),
            max_attributes_per_span: max(*limits.span_attributes),
            max_links_per_span: max(*limits.links),
            max_attributes_per_event: max(*limits.event_attributes),
            max_attributes_per_link: max(*limits.link_attributes),
        }
    }

    pub(super) fn tracer_provider(
        &self,
        processor: QueueSpanProcessor,
        components: &mut Components,
    ) -> SdkTracerProvider {
        let mut builder = SdkTracerProvider::builder()
            .with_resource(self.resource.clone())
            .with_sampler(self.sampler());
        if let Some(sampler) = components.sampler.take() {
            builder = builder.with_sampler(CheckedSampler::new(sampler));
        }
        if let Some(ids) = components.id_generator.take() {
            builder = builder.with_id_generator(CheckedIds(ids));
        }
        builder.with_span_limits(self.span_limits()).with_span_processor(processor).build()
    }

    /// Returns the sampling and the export of the spans of units.
    pub(super) fn unit_spans(
        &self,
        #[cfg_attr(not(feature = "live"), expect(unused_mut, reason = "changed by the live view"))]
        mut processor: QueueSpanProcessor,
    ) -> Arc<dyn UnitSpans> {
        #[cfg(feature = "live")]
        let live = processor.live.take();
        let spans = RecordedUnitSpans {
            sampler: self.sampler(),
            ids: RandomIdGenerator::default(),
            limits: record_limits(&self.span_limits()),
            value_limit: processor.value_limit,
            // The console gets the SDK's data, from the processor.
            queue: processor.queue.clone().filter(|_| processor.console.is_none()),
            console: processor.console.clone(),
            processor,
        };
        #[cfg(feature = "live")]
        if let Some(feed) = live {
            return Arc::new(LiveUnitSpans { value_limit: spans.value_limit, feed, spans });
        }
        Arc::new(spans)
    }
}
