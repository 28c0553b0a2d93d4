//! Span processors and span exporters of the application.
#![expect(clippy::disallowed_methods, reason = "attributes of another library")]

use super::{SOON, Shared, alone, run};
use crate::kit;
use hub_otel::Telemetry;
use hub_otel::otel::TelemetryBuilderExt;
use hub_otel::otel::opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use hub_otel::otel::opentelemetry::{Context, KeyValue};
use hub_otel::otel::{tracer_provider, tracing_layer};
use hub_otel_tests::poll;
use hub_otel_tests::receiver::{Receiver, text};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;

/// Adds an attribute to each span, and keeps what it was called with.
#[derive(Debug, Default, Clone)]
pub(super) struct Recording {
    calls: Shared<String>,
    pub(super) spans: Shared<SpanData>,
}

impl SpanProcessor for Recording {
    fn on_start(&self, span: &mut Span, _: &Context) {
        span.set_attribute(KeyValue::new("tenant", "acme"));
        self.calls.push("start".to_owned());
    }

    fn on_end(&self, span: SpanData) {
        self.calls.push(format!("end {}", span.name));
        self.spans.push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.calls.push("flush".to_owned());
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.calls.push("shutdown".to_owned());
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        let name = resource.get(&"service.name".into()).expect("a name");
        self.calls.push(format!("resource {name}"));
    }
}

#[expect(clippy::disallowed_methods, reason = "a span of the application")]
fn span_with(telemetry: &Telemetry, attributes: Vec<KeyValue>) {
    let tracer = tracer_provider(telemetry).tracer("tests");
    let builder = tracer.span_builder("a span").with_attributes(attributes);
    tracer.build(builder).end();
}

#[test]
fn a_span_processor_without_an_exporter_gets_spans_of_tracing_too() {
    let recording = Recording::default();
    let telemetry = alone().span_processor(recording.clone()).build().expect("it starts");
    let subscriber = tracing_subscriber::registry().with(tracing_layer(&telemetry));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("foreign").in_scope(|| ());
    });
    telemetry.shutdown_blocking();
    let names: Vec<_> = recording.spans.all().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["foreign"]);
}

#[test]
fn a_span_processor_is_called_at_start_end_flush_and_once_at_the_shutdown() {
    let receiver = Receiver::start();
    let recording = Recording::default();
    let telemetry =
        kit::to(&receiver).span_processor(recording.clone()).build().expect("it starts");
    span_with(
        &telemetry,
        vec![
            KeyValue::new("password", "hunter2"),
            KeyValue::new("step", 1),
            KeyValue::new("step", 2),
        ],
    );
    telemetry.flush_blocking();
    assert!(telemetry.shutdown_blocking().is_complete());
    assert_eq!(
        recording.calls.all(),
        ["resource the-service", "start", "end a span", "flush", "shutdown"]
    );
    let seen = &recording.spans.all()[0];
    let attributes: Vec<_> =
        seen.attributes.iter().map(|kv| format!("{}={}", kv.key, kv.value)).collect();
    assert_eq!(attributes, ["password=[REDACTED]", "step=2", "tenant=acme"]);
    let exported = &receiver.spans()[0];
    assert_eq!(text(&exported.attributes, "tenant"), Some("acme"), "added before the export");
}

#[test]
fn a_span_processor_gets_the_span_data_of_units() {
    let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    run("spans::case::units", &none);
}

#[test]
fn a_span_processor_that_panics_is_reported_once_and_loses_nothing() {
    #[derive(Debug)]
    struct Failing;
    impl SpanProcessor for Failing {
        fn on_start(&self, _: &mut Span, _: &Context) {
            panic!("on_start");
        }
        fn on_end(&self, _: SpanData) {
            panic!("on_end");
        }
        fn force_flush(&self) -> OTelSdkResult {
            panic!("force_flush");
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            panic!("shutdown");
        }
    }
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver).span_processor(Failing).build().expect("it starts");
    (0..3).for_each(|_| kit::span(&telemetry, "a span"));
    telemetry.flush_blocking();
    assert!(telemetry.shutdown_blocking().is_complete());
    assert_eq!(receiver.spans().len(), 3);
}

/// Returns what the test decides for each batch.
#[derive(Debug)]
struct Scripted {
    spans: Shared<SpanData>,
    calls: Shared<&'static str>,
    results: Mutex<Vec<OTelSdkResult>>,
}

impl SpanExporter for Scripted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        // Works on a tokio client: the export runtime is its context.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.calls.push("export");
        batch.into_iter().for_each(|span| self.spans.push(span));
        self.results.lock().expect("not poisoned").pop().unwrap_or(Ok(()))
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.calls.push("shutdown");
        Ok(())
    }

    fn set_resource(&mut self, _: &Resource) {
        self.calls.push("resource");
    }
}

#[test]
fn the_spans_of_a_span_exporter_are_counted_by_its_result() {
    let (spans, calls) = (Shared::default(), Shared::default());
    let failure = Err(OTelSdkError::InternalFailure("https://u:hunter2@h/ is down".to_owned()));
    let results = Mutex::new(vec![Err(OTelSdkError::AlreadyShutdown), failure, Ok(())]);
    let exporter = Scripted { spans: spans.clone(), calls: calls.clone(), results };
    let telemetry = alone().span_exporter(exporter).build().expect("it starts");
    for count in [1, 2, 3] {
        (0..count).for_each(|_| span_with(&telemetry, vec![KeyValue::new("api_key", "hunter2")]));
        telemetry.flush_blocking();
    }
    let report = telemetry.shutdown_blocking();
    let [exporter] = &report.exporters[..] else { panic!("{report:?}") };
    assert!(exporter.exporter.ends_with("components::spans::Scripted"), "{}", exporter.exporter);
    let counts = &exporter.counts;
    assert_eq!((counts.finished, counts.ok, counts.failed, counts.pending), (6, 1, 5, 0));
    assert_eq!(counts.failures["exporter_error"], 2);
    assert_eq!(counts.failures["exporter_shut_down"], 3);
    assert_eq!(report.lost(), 5);
    assert!(!report.is_complete());
    assert!(report.to_string().contains("Scripted: 6 finished, 1 ok"), "{report}");
    assert_eq!(calls.all(), ["resource", "export", "export", "export", "shutdown"]);
    let redacted = |span: &SpanData| span.attributes[0].value.as_str() == "[REDACTED]";
    assert!(spans.all().iter().all(redacted));
}

/// Blocks until the test lets it return, then panics if it requests that.
#[derive(Debug)]
struct Blocking {
    entered: mpsc::Sender<()>,
    release: Arc<Mutex<mpsc::Receiver<bool>>>,
}

impl SpanExporter for Blocking {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        self.entered.send(()).expect("the test waits");
        let panics = self.release.lock().expect("not poisoned").recv().unwrap_or(false);
        assert!(!panics, "an exporter that fails");
        Ok(())
    }
}

#[test]
fn a_span_exporter_that_blocks_or_panics_delays_no_span_and_each_is_counted() {
    let receiver = Receiver::start();
    let ((entered, entries), (release, released)) = (mpsc::channel(), mpsc::channel());
    let exporter = Blocking { entered, release: Arc::new(Mutex::new(released)) };
    let telemetry = kit::to(&receiver)
        .set_var("OTEL_BSP_MAX_QUEUE_SIZE", "2")
        .set_var("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
        .set_var("OTEL_BSP_SCHEDULE_DELAY", "1")
        .span_exporter(exporter)
        .build()
        .expect("it starts");
    kit::span(&telemetry, "0");
    entries.recv_timeout(SOON).expect("an export");
    // One in flight, one waiting: the third one is dropped by this exporter only.
    for name in ["1", "2"] {
        poll::until(SOON, || telemetry.report().traces.pending == 0);
        kit::span(&telemetry, name);
    }
    release.send(true).expect("it blocks");
    entries.recv_timeout(SOON).expect("the next export");
    release.send(false).expect("it blocks");
    let report = telemetry.shutdown_blocking();
    assert_eq!((report.traces.finished, report.traces.ok), (3, 3), "{report}");
    assert_eq!(receiver.spans().len(), 3);
    let counts = &report.exporters[0].counts;
    assert_eq!((counts.finished, counts.ok, counts.failures["panic"]), (3, 1, 1), "{report}");
    assert_eq!(counts.dropped["queue_full"], 1);
}

#[test]
fn an_export_that_never_returns_fails_by_its_timeout_and_shutdown_keeps_its_deadline() {
    let ((entered, entries), (release, released)) = (mpsc::channel(), mpsc::channel());
    let exporter = Blocking { entered, release: Arc::new(Mutex::new(released)) };
    let telemetry = alone()
        .set_var("OTEL_BSP_EXPORT_TIMEOUT", "50")
        .set_var("OTEL_BSP_SCHEDULE_DELAY", "1")
        .shutdown_timeout(Duration::from_millis(500))
        .span_exporter(exporter)
        .build()
        .expect("it starts");
    kit::span(&telemetry, "0");
    entries.recv_timeout(SOON).expect("an export");
    poll::until(SOON, || telemetry.report().exporters[0].counts.failed == 1);
    kit::span(&telemetry, "1");
    let report = telemetry.shutdown_blocking();
    let counts = &report.exporters[0].counts;
    assert_eq!(counts.failures["timeout"], 1, "{report}");
    assert_eq!(counts.dropped["shutdown_deadline"], 1, "{report}");
    assert!(report.elapsed < Duration::from_secs(5), "{report:?}");
    drop(release);
}

mod case {
    use super::Recording;
    use hub_otel::otel::TelemetryBuilderExt;
    use hub_otel::{Telemetry, agent, current, workflow};

    #[test]
    #[ignore = "runs in a child process"]
    fn units() {
        let recording = Recording::default();
        let telemetry =
            Telemetry::builder().span_processor(recording.clone()).install().expect("the install");
        workflow("nightly").call(|| {
            agent("scanner", "scan").call(|| {
                current().record("files", 7);
                current().add_event("found", [("files", 7)]);
            });
        });
        let failed: Result<(), std::io::Error> =
            agent("writer", "write").call(|| Err(std::io::Error::other("the disk is full")));
        failed.expect_err("it fails");
        assert!(telemetry.shutdown_blocking().is_complete());

        let spans = recording.spans.all();
        let [scan, nightly, write] = &spans[..] else { panic!("{spans:#?}") };
        let value = |span: &opentelemetry_sdk::trace::SpanData, key: &str| {
            let found = span.attributes.iter().find(|kv| kv.key.as_str() == key);
            found.map(|kv| kv.value.to_string()).unwrap_or_default()
        };
        assert_eq!((&*scan.name, &*nightly.name), ("agent.execute", "workflow.execute"));
        assert_eq!(scan.parent_span_id, nightly.span_context.span_id());
        assert_eq!(scan.span_context.trace_id(), nightly.span_context.trace_id());
        assert_eq!(value(nightly, "workflow.id"), "nightly");
        assert_eq!(value(scan, "agent.id"), "scanner");
        assert_eq!(value(scan, "agent.action"), "scan");
        assert_eq!(value(scan, "agent.status"), "SUCCESS");
        assert_eq!(value(scan, "files"), "7");
        assert_eq!(value(scan, "tenant"), "acme", "added by the processor");
        assert_eq!(scan.events.events[0].name, "found");
        assert_eq!(scan.instrumentation_scope.name(), "hub_otel");
        assert!(scan.end_time >= scan.start_time);
        assert_eq!(value(write, "agent.status"), "FAILED");
        let opentelemetry::trace::Status::Error { description } = &write.status else {
            panic!("{:?}", write.status)
        };
        assert!(description.contains("the disk is full"), "{description}");
    }
}
