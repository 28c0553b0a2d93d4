//! A process with the live view, and spans of its application.

use hub_otel::{Telemetry, TelemetryBuilder, otel};
use hub_otel_tests::http::{self, Method, Reply};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use tracing_subscriber::layer::SubscriberExt as _;

pub(crate) const TOKEN: &str = "correct-horse-battery-staple";
/// Markup that would run a script.
pub(crate) const PAYLOAD: &str =
    "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>";

pub(crate) fn builder() -> TelemetryBuilder {
    Telemetry::builder()
        .env_source([
            ("OTEL_SERVICE_NAME", "under-test"),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ])
        .live_token(TOKEN)
}

pub(crate) fn start() -> Telemetry {
    builder().live("127.0.0.1:0").build().expect("it starts")
}

/// Returns the address of the live view: `http://127.0.0.1:<port>`.
pub(crate) fn base(telemetry: &Telemetry) -> String {
    let url = telemetry.live_url().expect("served");
    url.split_once("/?").expect("a token").0.to_owned()
}

/// Sends a GET request with the token.
pub(crate) fn get(telemetry: &Telemetry, path: &str) -> Reply {
    let bearer = format!("Bearer {TOKEN}");
    let url = format!("{}{path}", base(telemetry));
    http::try_send(Method::GET, url, &[("authorization", &bearer)], "").expect("a reply")
}

pub(crate) fn tracer(telemetry: &Telemetry) -> SdkTracer {
    // The scope of units: the feed keeps space for them.
    otel::tracer_provider(telemetry).tracer(hub_otel::semconv::SCOPE)
}

/// Starts a span with the attributes of a workflow.
pub(crate) fn workflow(tracer: &SdkTracer, name: &str, run: &str) -> Context {
    let attributes = vec![
        KeyValue::new("workflow.run.id", run.to_owned()),
        KeyValue::new("workflow.id", name.to_owned()),
        KeyValue::new("workflow.name", name.to_owned()),
        KeyValue::new("workflow.trigger", "manual"),
    ];
    let builder = SpanBuilder::from_name("workflow").with_attributes(attributes);
    Context::new().with_span(tracer.build_with_context(builder, &Context::new()))
}

/// Ends a workflow.
pub(crate) fn end(workflow: &Context, status: &'static str) {
    workflow.span().set_attribute(KeyValue::new("workflow.status", status));
    workflow.span().end();
}

/// Emits a log line in a span.
pub(crate) fn log(telemetry: &Telemetry, span: &Context, text: &str) {
    let subscriber = tracing_subscriber::registry().with(otel::tracing_layer(telemetry));
    let _attached = span.clone().attach();
    tracing::subscriber::with_default(subscriber, || tracing::warn!("{text}"));
}

/// Starts a span below `parent`.
pub(crate) fn child(
    tracer: &SdkTracer,
    parent: &Context,
    name: String,
    attributes: Vec<KeyValue>,
) -> Span {
    let builder =
        SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes);
    tracer.build_with_context(builder, parent)
}

/// Records a span below `parent`.
pub(crate) fn record(
    tracer: &SdkTracer,
    parent: &Context,
    name: String,
    attributes: Vec<KeyValue>,
) {
    child(tracer, parent, name, attributes).end();
}

/// Records a run of 2,001 spans: a thousand calls of a model, each with a request below it.
pub(crate) fn large_run(telemetry: &Telemetry) {
    let tracer = tracer(telemetry);
    let run = workflow(&tracer, "review", "run-1");
    for number in 0..1_000 {
        let operation = KeyValue::new("gen_ai.operation.name", "chat");
        let call = child(&tracer, &run, format!("chat {number}"), vec![operation]);
        let below = Context::new().with_span(call);
        record(&tracer, &below, format!("POST {number}"), Vec::new());
        below.span().end();
    }
    end(&run, "SUCCESS");
}
