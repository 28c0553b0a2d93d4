//! Metrics of GenAI calls, derived from the spans of other libraries.
#![expect(clippy::disallowed_methods, reason = "attributes of another library")]

use hub_otel::otel::opentelemetry::trace::{
    FutureExt, Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use hub_otel::otel::opentelemetry::{Context, KeyValue, Value};
use hub_otel::testing::{Capture, Settings, capture};
use hub_otel::{Exporter, Signal, Telemetry, Usage, agent, current, llm, retrieval, tool};
use hub_otel_tests::scrape::Scrape;
use std::time::{Duration, SystemTime};

/// Records a call as the span of another library, in the current context.
pub(crate) fn call_span(
    tracers: &impl TracerProvider<Tracer: Tracer<Span: Send>>,
    attributes: Vec<KeyValue>,
) {
    let tracer = tracers.tracer("a library");
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let mut span = tracer.span_builder("chat").with_kind(SpanKind::Client).start(&tracer);
    span.set_attributes(attributes);
    span.end_with_timestamp(end);
}

/// Records a span of another library that took two seconds.
fn record_call(
    tracers: &impl TracerProvider<Tracer: Tracer<Span: Send>>,
    scope: &'static str,
    attributes: Vec<KeyValue>,
    status: Status,
) {
    let tracer = tracers.tracer(scope);
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let mut span = tracer
        .span_builder("chat gpt-5")
        .with_kind(SpanKind::Client)
        .with_start_time(start)
        .start_with_context(&tracer, &Context::new());
    span.set_attributes(attributes);
    span.set_status(status);
    span.end_with_timestamp(start + Duration::from_secs(2));
}

fn call(operation: &'static str, more: &[(&'static str, Value)]) -> Vec<KeyValue> {
    let fixed = [
        KeyValue::new("gen_ai.operation.name", operation),
        KeyValue::new("gen_ai.provider.name", "openai"),
        KeyValue::new("gen_ai.request.model", "gpt-5"),
    ];
    let more = more.iter().map(|(key, value)| KeyValue::new(*key, value.clone()));
    fixed.into_iter().chain(more).collect()
}

fn record(capture: &Capture, attributes: Vec<KeyValue>) {
    let tracers = hub_otel::otel::capture_tracer_provider(capture);
    record_call(&tracers, "a library", attributes, Status::Unset);
}

/// Lines of the GenAI metrics.
fn lines(capture: &Capture) -> String {
    let table = capture.metrics().table();
    let lines = table.lines().filter(|line| line.starts_with("gen_ai."));
    // Without the parts that all names have.
    let short = |line: &str| {
        line.replace("gen_ai.", "")
            .replace(".name", "")
            .replace("client.", "")
            .replace("request.", "")
    };
    lines.map(|line| short(line) + "\n").collect()
}

#[test]
fn a_call_of_another_library_is_counted_with_its_tokens_and_its_first_chunk() {
    let capture = capture();
    record(
        &capture,
        call(
            "chat",
            &[
                ("gen_ai.usage.input_tokens", 100.into()),
                // Unsigned integers of `tracing` arrive as text.
                ("gen_ai.usage.output_tokens", "20".into()),
                ("gen_ai.response.time_to_first_chunk", 0.25.into()),
            ],
        ),
    );
    insta::assert_snapshot!(lines(&capture), @r"
    operation.duration{operation=chat, provider=openai, model=gpt-5} count=1
    operation.time_to_first_chunk{operation=chat, provider=openai, model=gpt-5} count=1
    token.usage{operation=chat, provider=openai, model=gpt-5, token.type=input} count=1
    token.usage{operation=chat, provider=openai, model=gpt-5, token.type=output} count=1
    ");
    let metrics = capture.metrics();
    let sum = |name: &str, kind: &str| {
        let series = metrics.iter().filter(|series| series.name == name);
        let fits = |labels: &str| labels == kind || kind.is_empty();
        series
            .filter(|series| fits(series.labels.get("gen_ai.token.type").map_or("", |kind| kind)))
            .map(|series| series.sum)
            .sum::<f64>()
    };
    assert_eq!(sum("gen_ai.client.operation.duration", ""), 2.0);
    assert_eq!(sum("gen_ai.client.operation.time_to_first_chunk", ""), 0.25);
    assert_eq!(sum("gen_ai.client.token.usage", "input"), 100.0);
    assert_eq!(sum("gen_ai.client.token.usage", "output"), 20.0);
    capture.conformance().unwrap();
}

#[test]
fn totals_of_agents_other_operations_and_own_spans_are_not_counted() {
    let capture = capture();
    let usage = [("gen_ai.usage.input_tokens", 100.into())];
    // rig repeats the usage of its calls on its span of the agent.
    for operation in ["invoke_agent", "invoke_workflow", "create_agent", "transcription"] {
        record(&capture, call(operation, &usage));
    }
    let tracers = hub_otel::otel::capture_tracer_provider(&capture);
    record_call(&tracers, "hub_otel", call("chat", &usage), Status::Unset);
    record(&capture, vec![KeyValue::new("gen_ai.usage.input_tokens", 100)]);
    assert_eq!(lines(&capture), "");
}

#[test]
fn a_failed_call_has_its_error_type() {
    let capture = capture();
    record(&capture, call("chat", &[("error.type", "429".into())]));
    let tracers = hub_otel::otel::capture_tracer_provider(&capture);
    record_call(&tracers, "a library", call("embeddings", &[]), Status::error("down"));
    insta::assert_snapshot!(lines(&capture), @r"
    operation.duration{error.type=429, operation=chat, provider=openai, model=gpt-5} count=1
    operation.duration{error.type=_OTHER, operation=embeddings, provider=openai, model=gpt-5} count=1
    ");
}

#[test]
fn an_execution_of_a_tool_is_counted_by_name() {
    let capture = capture();
    let tool = [
        KeyValue::new("gen_ai.operation.name", "execute_tool"),
        KeyValue::new("gen_ai.tool.name", "search"),
    ];
    record(&capture, tool.to_vec());
    insta::assert_snapshot!(lines(&capture), @"execute_tool.duration{tool=search} count=1");
}

#[test]
fn models_beyond_the_cap_share_one_counted_series() {
    let capture = capture();
    let duration = "gen_ai.client.operation.duration";
    for number in 0..120 {
        record(&capture, call("chat", &[("gen_ai.request.model", format!("m-{number}").into())]));
    }
    record(&capture, call("chat", &[("gen_ai.request.model", "x".repeat(1_000).into())]));
    let metrics = capture.metrics();
    assert_eq!(metrics.value(duration, &[]), 121.0);
    assert_eq!(metrics.value(duration, &[("otel.metric.overflow", "true")]), 21.0);
    assert_eq!(capture.overflowed(), 21);
}

#[test]
fn calls_of_another_instance_are_not_counted() {
    let capture = capture();
    let other = hub_otel::testing::capture();
    record(&other, call("chat", &[]));
    assert_eq!(lines(&capture), "");
    assert_ne!(lines(&other), "");
}

/// Returns the names of the GenAI families with `opt_in` as OTEL_SEMCONV_STABILITY_OPT_IN, after a
/// chat and a call of embeddings.
fn families(opt_in: &str) -> Vec<String> {
    let telemetry = Telemetry::builder()
        .env_source([("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)])
        .exporters(Signal::Traces, [])
        .exporters(Signal::Logs, [])
        .exporters(Signal::Metrics, [Exporter::Prometheus])
        .prometheus("127.0.0.1", 0)
        .build()
        .unwrap();
    let tracers = hub_otel::otel::tracer_provider(&telemetry);
    let usage = [
        ("gen_ai.usage.input_tokens", 100.into()),
        ("gen_ai.response.time_to_first_chunk", 0.25.into()),
    ];
    record_call(&tracers, "a library", call("chat", &usage), Status::Unset);
    record_call(&tracers, "a library", call("embeddings", &[]), Status::Unset);
    let address = telemetry.metrics_addr().unwrap();
    let scrape = Scrape::of(format!("http://{address}/metrics"));
    telemetry.shutdown_blocking();
    let families = scrape.families.keys().filter(|family| family.starts_with("gen_ai_"));
    families.cloned().collect()
}

#[test]
fn the_opt_in_selects_the_names_of_the_conventions() {
    let released = [
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "gen_ai_client_token_usage",
    ];
    assert_eq!(families("http"), released);
    let latest = families("http, gen_ai_latest_experimental");
    assert!(latest.contains(&"gen_ai_client_inference_usage_input_tokens_total".to_owned()));
    // Embeddings are no inference.
    assert!(latest.contains(&"gen_ai_client_operation_duration_seconds".to_owned()));
    assert!(!latest.contains(&"gen_ai_client_operation_time_to_first_chunk_seconds".to_owned()));
    let both = families("gen_ai/dup");
    assert!(released.iter().all(|name| both.iter().any(|family| family == name)), "{both:?}");
    assert!(latest.iter().all(|name| both.contains(name)), "{both:?}");
}

/// A call of gpt-4o as another library records it.
fn tokens(operation: &'static str, input: i64) -> Vec<KeyValue> {
    let model = [("gen_ai.usage.input_tokens", Value::I64(input))];
    let mut attributes = call(operation, &model);
    attributes[2] = KeyValue::new("gen_ai.request.model", "gpt-4o");
    attributes
}

#[tokio::test]
async fn a_call_that_a_unit_and_another_library_record_is_counted_once() {
    let capture = Settings::new().allow_root_agents().capture();
    let tracers = hub_otel::otel::capture_tracer_provider(&capture);
    let work = async {
        // The unit is the outer part. The tokens are those of the library, unless it has some.
        llm("openai", "gpt-4o").run(async { call_span(&tracers, tokens("chat", 1_000)) }).await;
        llm("openai", "gpt-4o")
            .run(async {
                call_span(&tracers, tokens("chat", 1_000));
                current().usage(Usage::of_input(2_000));
            })
            .await;
        // The unit is the inner part.
        let tracer = tracers.tracer("a library");
        let span =
            tracer.span_builder("chat").with_attributes(tokens("chat", 4_000)).start(&tracer);
        let outer = Context::current().with_span(span);
        let inner = async {
            current().usage(Usage::of_input(4_000));
        };
        llm("openai", "gpt-4o").run(inner).with_context(outer.clone()).await;
        outer.span().end();
    };
    agent("writer", "write").run(work).await;
    let metrics = capture.metrics();
    assert_eq!(metrics.value("gen_ai.client.operation.duration", &[]), 3.0);
    let series = metrics.iter().filter(|series| series.name == "gen_ai.client.token.usage");
    assert_eq!(series.map(|series| series.sum).sum::<f64>(), 7_000.0);
    let dollars = 7_000.0 * 2.5e-6;
    assert!((metrics.value("agent.cost", &[]) - dollars).abs() < 1e-9, "{}", metrics.table());
    let spans = capture.spans();
    let cost = spans.named("agent.execute")[0].text("agent.cost.usd");
    assert!((cost.parse::<f64>().expect("a cost") - dollars).abs() < 1e-9, "{cost}");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn calls_of_another_kind_or_tool_inside_of_a_unit_are_counted() {
    let capture = capture();
    let tracers = hub_otel::otel::capture_tracer_provider(&capture);
    let tool_span = |name: &'static str| {
        let attributes = [("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", name)];
        call_span(&tracers, attributes.map(|(key, value)| KeyValue::new(key, value)).to_vec());
    };
    retrieval("handbook").run(async { call_span(&tracers, tokens("embeddings", 10)) }).await;
    tool("research")
        .run(async {
            tool_span("search");
            tool_span("research");
            call_span(&tracers, tokens("chat", 10));
        })
        .await;
    insta::assert_snapshot!(lines(&capture), @r"
    operation.duration{operation=chat, provider=openai, model=gpt-4o} count=1
    operation.duration{operation=embeddings, provider=openai, model=gpt-4o} count=1
    token.usage{operation=chat, provider=openai, model=gpt-4o, token.type=input} count=1
    token.usage{operation=embeddings, provider=openai, model=gpt-4o, token.type=input} count=1
    execute_tool.duration{tool=research} count=1
    execute_tool.duration{tool=search} count=1
    ");
}
