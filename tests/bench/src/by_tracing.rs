//! Instrumentation by `#[tracing::instrument]` and tracing-opentelemetry, limited to the same
//! attributes, with manual metrics.

use crate::manual_metrics::{ERROR_TYPE, Metrics};
use crate::{WorkError, work};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Instant;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

/// Records the exception as a span event, because a `tracing` event would add its level and target.
fn exception(error: &WorkError) -> Vec<KeyValue> {
    vec![
        KeyValue::new("exception.type", std::any::type_name::<WorkError>()),
        KeyValue::new("exception.message", error.to_string()),
    ]
}

/// Subscriber without the attributes that tracing-opentelemetry adds by default.
pub fn dispatch(traces: &SdkTracerProvider) -> tracing::Dispatch {
    let layer = tracing_opentelemetry::layer()
        .with_tracer(traces.tracer("hub_otel"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    // Spans of the exporter's own crates have lower levels.
    let level = tracing_subscriber::filter::LevelFilter::INFO;
    tracing::Dispatch::new(tracing_subscriber::registry().with(level).with(layer))
}

pub async fn workflow(metrics: &impl Metrics, attempt: i64, fails: bool) -> Result<u32, WorkError> {
    let started = Instant::now();
    metrics.workflow_started();
    let result = workflow_span(attempt, fails, started).await;
    let status = if result.is_ok() { "SUCCESS" } else { "FAILED" };
    metrics.workflow_ended(status, started.elapsed().as_secs_f64() * 1_000.0, result.is_err());
    result
}

#[tracing::instrument(name = "workflow.execute", skip_all, fields(
    workflow.run.id = "run-7", workflow.id = "bench", workflow.name = "Bench", workflow.trigger = "manual", attempt = attempt,
    workflow.status = Empty, workflow.duration.ms = Empty, otel.status_code = Empty,
    otel.status_description = Empty
))]
async fn workflow_span(attempt: i64, fails: bool, started: Instant) -> Result<u32, WorkError> {
    let result = work(fails).await;
    let span = tracing::Span::current();
    span.record("workflow.status", if result.is_ok() { "SUCCESS" } else { "FAILED" });
    span.record(
        "workflow.duration.ms",
        i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
    );
    match &result {
        Ok(_) => {
            span.record("otel.status_code", "OK");
        }
        Err(error) => {
            span.add_event("exception", exception(error));
            span.set_attribute("error.type", ERROR_TYPE);
            span.record("otel.status_code", "ERROR");
            span.record("otel.status_description", tracing::field::display(error));
        }
    }
    result
}

pub async fn agent(metrics: &impl Metrics, attempt: i64, fails: bool) -> Result<u32, WorkError> {
    let started = Instant::now();
    let result = agent_span(attempt, fails, started).await;
    let status = if result.is_ok() { "SUCCESS" } else { "FAILED" };
    metrics.agent_ended(status, started.elapsed().as_secs_f64() * 1_000.0, result.is_err());
    result
}

#[tracing::instrument(name = "agent.execute", skip_all, fields(
    agent.id = "bench", agent.name = "Bench", agent.action = "work", agent.run.id = "run-7", attempt = attempt,
    agent.status = Empty, agent.duration.ms = Empty, error.message = Empty,
    otel.status_code = Empty, otel.status_description = Empty
))]
async fn agent_span(attempt: i64, fails: bool, started: Instant) -> Result<u32, WorkError> {
    let result = work(fails).await;
    let span = tracing::Span::current();
    span.record("agent.status", if result.is_ok() { "SUCCESS" } else { "FAILED" });
    span.record(
        "agent.duration.ms",
        i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
    );
    match &result {
        Ok(_) => {
            span.record("otel.status_code", "OK");
        }
        Err(error) => {
            span.add_event("exception", exception(error));
            span.set_attribute("error.type", ERROR_TYPE);
            span.record("error.message", tracing::field::display(error));
            span.record("otel.status_code", "ERROR");
            span.record("otel.status_description", tracing::field::display(error));
        }
    }
    result
}

/// A span of a library: with hub-otel's layer a foreign span. Its field stays empty.
#[tracing::instrument(skip_all, fields(attempt))]
pub async fn foreign(_attempt: i64) -> Result<u32, WorkError> {
    work(false).await
}
