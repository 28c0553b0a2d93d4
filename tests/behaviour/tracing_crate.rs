//! Interoperability with the `tracing` crate: nested spans in both directions and log records with
//! ids.

use hub_otel::testing::{Capture, Settings, Spans, capture};
use hub_otel::{agent, llm, workflow};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanProcessor};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use tracing::instrument::WithSubscriber;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

#[derive(Debug, Clone, Default)]
struct Foreign(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Foreign {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}
    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }
    fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(
        &self,
        _: std::time::Duration,
    ) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }
}

/// The subscriber of a program that uses tracing-opentelemetry, and the spans that it makes.
fn subscriber() -> (tracing::Dispatch, Foreign) {
    let foreign = Foreign::default();
    let provider = SdkTracerProvider::builder().with_span_processor(foreign.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("app"));
    (tracing::Dispatch::new(tracing_subscriber::registry().with(layer)), foreign)
}

/// Name by id, and parent by id, over both providers.
fn family(spans: &Spans, foreign: &Foreign) -> Vec<(String, String)> {
    let mut names: HashMap<String, (String, String)> = HashMap::new();
    for span in spans {
        names.insert(span.span_id.clone(), (span.name.clone(), span.parent_id.clone()));
    }
    for span in &*foreign.0.lock().unwrap() {
        names.insert(
            span.span_context.span_id().to_string(),
            (span.name.to_string(), span.parent_span_id.to_string()),
        );
    }
    let mut family: Vec<_> = names
        .values()
        .map(|(name, parent)| {
            (name.clone(), names.get(parent).map_or_else(String::new, |(name, _)| name.clone()))
        })
        .collect();
    family.sort();
    family
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(child, parent)| ((*child).to_owned(), (*parent).to_owned())).collect()
}

async fn four_levels(capture: &Capture) {
    // A tracing span's parent is whatever is current when it is made.
    let innermost = async { tokio::task::yield_now().instrument(info_span!("innermost")).await };
    let between = async { agent("a", "x").run(innermost).await };
    let run = async { between.instrument(info_span!("between")).await };
    let outermost = async { workflow("w").run_id("run").run(run).await };
    outermost.instrument(info_span!("outermost")).await;
    assert_eq!(capture.metrics().value("agent.runs.total", &[]), 1.0);
}

#[tokio::test]
async fn spans_of_both_nest_four_levels_deep() {
    let capture = capture();
    let (dispatch, foreign) = subscriber();
    four_levels(&capture).with_subscriber(dispatch).await;
    let expected = pairs(&[
        ("agent.execute", "between"),
        ("between", "workflow.execute"),
        ("innermost", "agent.execute"),
        ("outermost", ""),
        ("workflow.execute", "outermost"),
    ]);
    assert_eq!(family(&capture.spans(), &foreign), expected);
    assert_eq!(capture.spans().named("agent.execute")[0].text("workflow.run.id"), "run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_run_reaches_an_agent_that_was_spawned_in_a_tracing_span() {
    let capture = capture();
    let (dispatch, foreign) = subscriber();
    let spawned = async {
        let task = async { agent("a", "x").run(async {}).await };
        tokio::spawn(task.instrument(info_span!("task")).with_current_subscriber()).await.unwrap();
    };
    capture.run(workflow("w").run_id("run").run(spawned)).with_subscriber(dispatch).await;
    let expected =
        pairs(&[("agent.execute", "task"), ("task", "workflow.execute"), ("workflow.execute", "")]);
    assert_eq!(family(&capture.spans(), &foreign), expected);
    assert_eq!(capture.spans().named("agent.execute")[0].text("workflow.run.id"), "run");
}

/// Keeps each event: its name, its level, its text, and the span that was active.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

type Event = (String, tracing::Level, String, String);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        #[derive(Default)]
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() != "message" {
                    self.0.push_str(&format!("{}={value:?} ", field.name()));
                }
            }
        }
        let mut text = Text::default();
        event.record(&mut text);
        let span =
            opentelemetry::Context::map_current(|context| context.span().span_context().span_id());
        let name = event.metadata().name().to_owned();
        self.0.lock().unwrap().push((name, *event.metadata().level(), text.0, span.to_string()));
    }
}

/// Creates a subscriber that writes into `log`.
fn listening(log: &Log) -> tracing::Dispatch {
    // With one subscriber in the process, tracing caches the interest of the first thread for all
    // threads, and the other tests have no subscriber. With two, it queries both.
    static SECOND: LazyLock<tracing::Dispatch> =
        LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));
    LazyLock::force(&SECOND);
    tracing::Dispatch::new(tracing_subscriber::registry().with(log.clone()))
}

#[tokio::test]
async fn start_and_end_of_units_are_logged_with_their_ids() {
    let capture = capture();
    let log = Log::default();
    let subscriber = listening(&log);
    let failing = agent("a", "x").run(async {
        hub_otel::current().record_retry("busy");
        Err::<(), _>("no")
    });
    let _ = workflow("w").run_id("run").run(failing).with_subscriber(subscriber).await;
    let lines = log.0.lock().unwrap().clone();
    let reported: Vec<_> = lines
        .iter()
        .map(|(name, level, text, _)| format!("{level} {name} {}", text.trim()))
        .collect();
    assert_eq!(
        reported,
        [
            "INFO workflow.run.started workflow.id=\"w\" workflow.run.id=\"run\" workflow.trigger=\"manual\"",
            "DEBUG agent.run.started agent.id=\"a\" agent.action=\"x\" workflow.run.id=\"run\"",
            "WARN agent.retry agent.id=\"a\" agent.retry.attempt=1 agent.retry.reason=\"busy\"",
            "DEBUG agent.run.ended agent.id=\"a\" agent.action=\"x\" agent.status=\"FAILED\" error.type=\"str\" \
             error.message=\"no\" workflow.run.id=\"run\"",
            "ERROR workflow.run.ended workflow.id=\"w\" workflow.run.id=\"run\" workflow.status=\"FAILED\" \
             error.type=\"str\" error.message=\"no\"",
        ]
    );
    let spans = capture.spans();
    let (workflow, agent) = (spans.named("workflow.execute")[0], spans.named("agent.execute")[0]);
    let ids: Vec<_> = lines.iter().map(|(.., span)| span.clone()).collect();
    let [w, a] = [&workflow.span_id, &agent.span_id];
    assert_eq!(ids.iter().collect::<Vec<_>>(), [w, a, a, a, w]);
}

#[tokio::test]
async fn an_agent_outside_a_workflow_names_no_run_in_the_log() {
    for settings in [Settings::new(), Settings::new().unsampled()] {
        let _capture = settings.capture();
        let log = Log::default();
        let subscriber = listening(&log);
        agent("a", "x").run(async {}).with_subscriber(subscriber).await;
        let reported: Vec<_> = log
            .0
            .lock()
            .unwrap()
            .iter()
            .map(|(name, _, text, _)| format!("{name} {text}"))
            .collect();
        assert_eq!(
            reported,
            [
                "agent.run.started agent.id=\"a\" agent.action=\"x\" ",
                "agent.run.ended agent.id=\"a\" agent.action=\"x\" agent.status=\"SUCCESS\" ",
            ]
        );
    }
}

#[tokio::test]
async fn the_exception_of_a_call_of_a_model_is_the_event_of_the_conventions() {
    let capture = Settings::new().exception_logs(false).capture();
    let log = Log::default();
    let subscriber = listening(&log);
    let _ = llm("openai", "m").run(async { Err::<(), _>("no") }).with_subscriber(subscriber).await;
    let logged = log.0.lock().unwrap().clone();
    assert_eq!(logged.len(), 1, "{logged:?}");
    let (name, level, text, _) = &logged[0];
    assert_eq!(
        (name.as_str(), *level),
        ("gen_ai.client.operation.exception", tracing::Level::WARN)
    );
    assert_eq!(text.trim(), "exception.type=\"&str\" exception.message=\"no\"");
    assert_eq!(capture.spans().iter().next().unwrap().events.len(), 0);
}

#[tokio::test]
async fn exceptions_can_be_log_records() {
    for dup in [false, true] {
        let capture = Settings::new().exception_logs(dup).capture();
        let log = Log::default();
        let subscriber = listening(&log);
        let _ = agent("a", "x").run(async { Err::<(), _>("no") }).with_subscriber(subscriber).await;
        let exceptions: Vec<_> = log
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|(name, ..)| name == "exception")
            .cloned()
            .collect();
        assert_eq!(exceptions.len(), 1);
        assert_eq!(exceptions[0].2.trim(), "exception.type=\"&str\" exception.message=\"no\"");
        assert_eq!(capture.spans().iter().next().unwrap().events.len(), usize::from(dup));
    }
}
