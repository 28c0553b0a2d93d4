//! The programs of the tests, each in a child process.
#![expect(clippy::disallowed_methods, reason = "spans of another library")]

use hub_otel::otel::TelemetryBuilderExt as _;
use hub_otel::otel::opentelemetry::trace::{Span, TraceContextExt, Tracer, TracerProvider};
use hub_otel::otel::opentelemetry::{Context, Key, KeyValue};
use hub_otel::otel::opentelemetry_sdk::error::OTelSdkResult;
use hub_otel::otel::opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use hub_otel::{Message, Telemetry, TelemetryBuilder, agent, current, llm, tool};
use std::future::Future;
use std::time::Duration;

/// A key of the form that a provider issues.
const KEY: &str = "sk-proj-0123456789abcdef0123";

fn builder() -> TelemetryBuilder {
    Telemetry::builder().default_service_name("content").deny_attribute("customer_iban")
}

fn foreign_span(telemetry: &Telemetry, attributes: Vec<KeyValue>) {
    let tracer = hub_otel::otel::tracer_provider(telemetry).tracer("a library");
    let mut span = tracer.start("foreign");
    span.set_attribute(KeyValue::new("gen_ai.request.model", "m"));
    let event = attributes.clone();
    span.set_attributes(attributes);
    span.add_event("prompt", event);
    span.end();
}

/// Records content by the API of OpenTelemetry.
fn record_on_the_context() {
    agent("b", "x").call(|| {
        let prompt = || vec![KeyValue::new("gen_ai.prompt", "c4n4ry event")];
        let context = Context::current();
        context.span().add_event("of the context", prompt());
        current().add_event("of the unit", [("gen_ai.prompt", "c4n4ry event")]);
    });
}

/// A call of a model that another library records as a span.
fn foreign_call(telemetry: &Telemetry, prompt: &'static str) {
    let tracer = hub_otel::otel::tracer_provider(telemetry).tracer("a library");
    let mut span = tracer.start("foreign call");
    span.set_attributes([
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.request.model", "m"),
        KeyValue::new("other", "value"),
        KeyValue::new("gen_ai.input.messages", prompt),
    ]);
    span.end();
}

/// Records content in every way.
fn record(telemetry: &Telemetry) {
    llm("openai", "m").call(|| {
        let call = current();
        call.system_instructions("c4n4ry instructions")
            .input_messages([format!("c4n4ry question, key {KEY}")].map(Message::user))
            .output_messages([Message::assistant("c4n4ry answer").finish_reason("stop")]);
    });
    tool("search").call(|| {
        current()
            .tool_arguments(format!(
                r#"{{"query":"c4n4ry","api_key":"{KEY}","customer_iban":"DE02"}}"#
            ))
            .tool_call_result("c4n4ry result");
    });
    tool("built").arguments(r#"{"built":"c4n4ry"}"#).call(|| ());
    let agent = agent("a", "x").field("gen_ai.tool.definitions", "c4n4ry field");
    agent.call(|| {
        current().record("gen_ai.input.messages", "c4n4ry recorded");
    });
    let prompt = r#"{"password":"hunter2","text":"c4n4ry"}"#;
    foreign_span(telemetry, vec![KeyValue::new("gen_ai.prompt", prompt)]);
    let span = tracing::info_span!("traced", gen_ai.prompt = tracing::field::Empty);
    span.record("gen_ai.prompt", prompt);
    span.in_scope(|| tracing::info!("inside"));
    tracing::info!(gen_ai.prompt = prompt, "a line");
    llm("openai", "m").operation("embeddings").call(|| {
        current().input_messages([Message::user("embedded")]);
    });
    record_on_the_context();
    foreign_call(telemetry, prompt);
}

fn install(builder: TelemetryBuilder) {
    let telemetry = builder.install().expect("the install");
    record(&telemetry);
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[ignore = "runs in a child process"]
fn calls() {
    install(builder());
}

#[test]
#[ignore = "runs in a child process"]
fn consented_by_the_builder() {
    install(builder().capture_content(true));
}

#[test]
#[ignore = "runs in a child process"]
fn refused_by_the_builder() {
    install(builder().capture_content(false));
}

#[test]
#[ignore = "runs in a child process"]
fn long() {
    let telemetry = builder().install().expect("the install");
    let messages = || (0..1_000).map(|number| Message::user(format!("message {number}")));
    llm("openai", "m").call(|| {
        let long = Message::assistant("long answer ".repeat(10_000));
        current().input_messages(messages()).output_messages([long.clone(), long]);
    });
    tool("search").call(|| {
        let rows: Vec<_> = (0..5_000).map(|row| format!("{{\"row\":{row}}}")).collect();
        current()
            .tool_arguments(format!("[{}]", rows.join(",")))
            .tool_call_result("long result ".repeat(10_000));
    });
    let texts: Vec<_> = (0..1_000).map(|_| r#"{"role":"user","parts":["é"]}"#).collect();
    let key = Key::from_static_str("gen_ai.input.messages");
    foreign_span(&telemetry, vec![KeyValue::new(key, format!("[{}]", texts.join(",")))]);
    assert!(telemetry.shutdown_blocking().is_complete());
}

/// Prints every span that has ended.
#[derive(Debug)]
struct Print;

impl SpanProcessor for Print {
    fn on_start(&self, _: &mut hub_otel::otel::opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        eprintln!("processed {} {:?}", span.name, span.attributes);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
#[ignore = "runs in a child process"]
fn with_a_span_processor() {
    install(builder().span_processor(Print));
}

#[test]
#[ignore = "runs in a child process"]
fn open_at_the_shutdown() {
    let telemetry = builder().install().expect("the install");
    let mut call = Box::pin(llm("openai", "m").run(async {
        current().input_messages([Message::user("c4n4ry")]);
        std::future::pending::<()>().await;
    }));
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(call.as_mut().poll(&mut task).is_pending());
    assert!(telemetry.shutdown_blocking().is_complete());
}
