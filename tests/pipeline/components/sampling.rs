//! The sampler, the id generator and the resource detectors of the application.
#![expect(clippy::disallowed_methods, reason = "attributes of another library")]

use super::{Shared, run};
use crate::kit;
use hub_otel::otel::TelemetryBuilderExt;
use hub_otel::otel::opentelemetry::trace::{
    Link, SpanId, SpanKind, TraceId, TraceState, Tracer, TracerProvider,
};
use hub_otel::otel::opentelemetry::{Context, KeyValue};
use hub_otel::otel::tracer_provider;
use hub_otel_tests::receiver::{Receiver, hex, text};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::ResourceDetector;
use opentelemetry_sdk::trace::{IdGenerator, SamplingDecision, SamplingResult, ShouldSample};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Drops spans by their name, and panics for one.
#[derive(Debug, Clone, Default)]
pub(super) struct ByName(Shared<String>);

impl ShouldSample for ByName {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        _: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        assert_ne!(name, "panics", "a sampler that fails");
        let of_agent = attributes.iter().find(|kv| kv.key.as_str() == "agent.id");
        self.0.push(of_agent.map_or(name.to_owned(), |kv| kv.value.to_string()));
        let is_dropped = name == "noise" || of_agent.is_some_and(|kv| kv.value.as_str() == "quiet");
        SamplingResult {
            decision: if is_dropped {
                SamplingDecision::Drop
            } else {
                SamplingDecision::RecordAndSample
            },
            attributes: vec![KeyValue::new("sampled.by", "name")],
            trace_state: TraceState::default(),
        }
    }
}

#[test]
fn the_sampler_decides_with_precedence_over_the_environment() {
    let receiver = Receiver::start();
    let telemetry = kit::within([("OTEL_TRACES_SAMPLER", "always_off")])
        .endpoint(receiver.endpoint())
        .sampler(ByName::default())
        .build()
        .expect("it starts");
    ["noise", "signal", "panics"].into_iter().for_each(|name| kit::span(&telemetry, name));
    assert!(telemetry.shutdown_blocking().is_complete());
    let spans = receiver.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["signal", "panics"], "a span for which it panics is sampled");
    assert_eq!(text(&spans[0].attributes, "sampled.by"), Some("name"));
}

#[test]
fn the_sampler_sees_units_with_their_attributes() {
    let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    run("sampling::case::units", &none);
}

/// Counts. The third span id is invalid.
#[derive(Debug, Clone, Default)]
pub(super) struct Counting(Arc<AtomicU64>);

impl IdGenerator for Counting {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from(0xabcd_u128)
    }

    fn new_span_id(&self) -> SpanId {
        match self.0.fetch_add(1, SeqCst) + 1 {
            3 => SpanId::INVALID,
            count => SpanId::from(count),
        }
    }
}

#[test]
fn ids_come_from_the_generator_and_invalid_ones_are_replaced() {
    let receiver = Receiver::start();
    let telemetry =
        kit::to(&receiver).id_generator(Counting::default()).build().expect("it starts");
    ["1", "2", "3", "4"].into_iter().for_each(|name| kit::span(&telemetry, name));
    assert!(telemetry.shutdown_blocking().is_complete());
    let spans = receiver.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id).ends_with("0000abcd")));
    let ids: Vec<_> = spans.iter().map(|span| hex(&span.span_id)).collect();
    assert_eq!(ids[0], "0000000000000001");
    assert_eq!(ids[1], "0000000000000002");
    assert!(ids[2] != "0000000000000000" && ids[2].len() == 16, "{}", ids[2]);
    assert_eq!(ids[3], "0000000000000004");
}

#[test]
fn units_have_the_ids_of_the_generator() {
    let receiver = Receiver::start();
    run("sampling::case::ids", &[("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str())]);
    let spans = receiver.spans();
    let mut ids: Vec<_> = spans.iter().map(|span| hex(&span.span_id)).collect();
    ids.sort();
    assert_eq!(ids, ["0000000000000001", "0000000000000002"]);
    assert!(spans.iter().all(|span| hex(&span.trace_id).ends_with("0000abcd")));
}

struct Detecting(Vec<KeyValue>);

impl ResourceDetector for Detecting {
    fn detect(&self) -> Resource {
        assert!(!self.0.is_empty(), "a detector that fails");
        Resource::builder_empty().with_attributes(self.0.clone()).build()
    }
}

#[test]
fn detected_attributes_are_exported_below_configured_ones() {
    let receiver = Receiver::start();
    let telemetry = kit::within([("OTEL_RESOURCE_ATTRIBUTES", "cloud.region=eu-central-1")])
        .endpoint(receiver.endpoint())
        .resource_detector(Detecting(Vec::new()))
        .resource_detector(Detecting(vec![
            KeyValue::new("cloud.region", "us-east-1"),
            KeyValue::new("cloud.provider", "aws"),
            KeyValue::new("host.name", "node-7"),
            KeyValue::new("api_key", "hunter2"),
            KeyValue::new("service.name", "detected"),
        ]))
        .build()
        .expect("it starts");
    kit::span(&telemetry, "a span");
    assert!(telemetry.shutdown_blocking().is_complete());
    let attributes = &receiver.spans()[0].resource.attributes;
    for (key, value) in [
        ("cloud.region", "eu-central-1"),
        ("cloud.provider", "aws"),
        ("host.name", "node-7"),
        ("api_key", "[REDACTED]"),
        ("service.name", "the-service"),
    ] {
        assert_eq!(text(attributes, key), Some(value), "{key}");
    }
}

#[test]
fn below_a_sampler_without_parents_a_child_is_decided_alone() {
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver).sampler(ByName::default()).build().expect("it starts");
    let tracer = tracer_provider(&telemetry).tracer("tests");
    tracer.in_span("noise", |_| tracer.in_span("signal", |_| ()));
    assert!(telemetry.shutdown_blocking().is_complete());
    assert_eq!(receiver.spans().len(), 1);
}

mod case {
    use super::{ByName, Counting};
    use crate::components::spans::Recording;
    use hub_otel::otel::TelemetryBuilderExt;
    use hub_otel::{Telemetry, agent, workflow};

    #[test]
    #[ignore = "runs in a child process"]
    fn units() {
        let (sampler, recording) = (ByName::default(), Recording::default());
        let telemetry = Telemetry::builder()
            .sampler(sampler.clone())
            .span_processor(recording.clone())
            .install()
            .expect("the install");
        workflow("nightly").call(|| {
            agent("quiet", "scan").call(|| ());
            agent("loud", "scan").call(|| ());
        });
        telemetry.shutdown_blocking();
        assert_eq!(sampler.0.all(), ["workflow.execute", "quiet", "loud"]);
        let names: Vec<_> =
            recording.spans.all().iter().map(|span| span.name.to_string()).collect();
        assert_eq!(names, ["agent.execute", "workflow.execute"]);
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn ids() {
        let telemetry =
            Telemetry::builder().id_generator(Counting::default()).install().expect("the install");
        workflow("nightly").call(|| agent("scanner", "scan").call(|| ()));
        assert!(telemetry.shutdown_blocking().is_complete());
    }
}
