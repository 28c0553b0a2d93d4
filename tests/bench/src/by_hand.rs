//! Manual instrumentation: tracer and instruments are created once, and constant attributes are
//! built once where possible.

use crate::{WorkError, work};
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider, UpDownCounter};
use opentelemetry::trace::{FutureExt, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::time::Instant;

pub struct ByHand {
    tracer: SdkTracer,
    pub metrics: Metrics,
}

pub struct Metrics {
    workflow_runs: Counter<u64>,
    workflow_errors: Counter<u64>,
    workflow_duration: Histogram<f64>,
    workflows_active: UpDownCounter<i64>,
    agent_runs: Counter<u64>,
    agent_errors: Counter<u64>,
    agent_duration: Histogram<f64>,
}

/// The type of the error, as hub-otel names it.
const ERROR_TYPE: &str = "hub_otel_bench_work_error";

impl Metrics {
    pub fn new(provider: &SdkMeterProvider) -> Self {
        use hub_otel::semconv::metric;
        let meter = provider.meter("hub_otel");
        let histogram = |metric: &hub_otel::semconv::Metric, meter: &Meter| {
            meter
                .f64_histogram(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.description)
                .with_boundaries(metric.buckets.to_vec())
                .build()
        };
        let counter = |metric: &hub_otel::semconv::Metric| {
            meter
                .u64_counter(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.description)
                .build()
        };
        Self {
            workflow_runs: counter(&metric::WORKFLOW_RUNS),
            workflow_errors: counter(&metric::WORKFLOW_ERRORS),
            workflow_duration: histogram(&metric::WORKFLOW_DURATION, &meter),
            workflows_active: meter
                .i64_up_down_counter(metric::WORKFLOWS_ACTIVE.name)
                .with_unit(metric::WORKFLOWS_ACTIVE.unit)
                .with_description(metric::WORKFLOWS_ACTIVE.description)
                .build(),
            agent_runs: counter(&metric::AGENT_RUNS),
            agent_errors: counter(&metric::AGENT_ERRORS),
            agent_duration: histogram(&metric::AGENT_DURATION, &meter),
        }
    }

    /// Counters that alerts read start at zero, once per label set.
    pub fn declare(&self, workflow: bool) {
        for status in ["SUCCESS", "FAILED", "TIMED_OUT"] {
            if workflow {
                self.workflow_runs.add(0, &Self::run_labels(status));
            } else {
                self.agent_runs.add(0, &Self::agent_labels(status));
            }
        }
    }

    fn run_labels(status: &'static str) -> [KeyValue; 3] {
        [
            KeyValue::new("workflow_id", "bench"),
            KeyValue::new("trigger_type", "manual"),
            KeyValue::new("status", status),
        ]
    }

    fn agent_labels(status: &'static str) -> [KeyValue; 3] {
        [
            KeyValue::new("agent_id", "bench"),
            KeyValue::new("action", "work"),
            KeyValue::new("status", status),
        ]
    }

    pub fn workflow_began(&self) {
        self.workflows_active.add(1, &[KeyValue::new("workflow_id", "bench")]);
    }

    pub fn workflow_ended(&self, status: &'static str, milliseconds: f64, failed: bool) {
        let id = || KeyValue::new("workflow_id", "bench");
        self.workflows_active.add(-1, &[id()]);
        self.workflow_runs.add(1, &Self::run_labels(status));
        self.workflow_duration.record(milliseconds, &[id(), KeyValue::new("status", status)]);
        if failed {
            self.workflow_errors.add(1, &[id(), KeyValue::new("error_type", ERROR_TYPE)]);
        }
    }

    pub fn agent_ended(&self, status: &'static str, milliseconds: f64, failed: bool) {
        let labels = Self::agent_labels(status);
        self.agent_runs.add(1, &labels);
        self.agent_duration.record(milliseconds, &labels);
        if failed {
            let labels =
                [KeyValue::new("agent_id", "bench"), KeyValue::new("error_type", ERROR_TYPE)];
            self.agent_errors.add(1, &labels);
        }
    }
}

impl ByHand {
    pub fn new(traces: &SdkTracerProvider, metrics: &SdkMeterProvider) -> Self {
        Self { tracer: traces.tracer("hub_otel"), metrics: Metrics::new(metrics) }
    }

    pub async fn workflow(&self, attempt: i64, fails: bool) -> Result<u32, WorkError> {
        let began = Instant::now();
        let span = self
            .tracer
            .span_builder("workflow.execute")
            .with_attributes([
                KeyValue::new("workflow.run.id", "run-7"),
                KeyValue::new("workflow.id", "bench"),
                KeyValue::new("workflow.name", "Bench"),
                KeyValue::new("workflow.trigger", "manual"),
                KeyValue::new("attempt", attempt),
            ])
            .start(&self.tracer);
        let context = Context::current_with_span(span);
        self.metrics.workflow_began();
        let result = work(fails).with_context(context.clone()).await;
        let elapsed = began.elapsed();
        let status =
            end(&context, &result, "workflow.status", "workflow.duration.ms", elapsed, false);
        self.metrics.workflow_ended(status, elapsed.as_secs_f64() * 1_000.0, result.is_err());
        result
    }

    pub async fn agent(&self, attempt: i64, fails: bool) -> Result<u32, WorkError> {
        let began = Instant::now();
        let span = self
            .tracer
            .span_builder("agent.execute")
            .with_attributes([
                KeyValue::new("agent.id", "bench"),
                KeyValue::new("agent.name", "Bench"),
                KeyValue::new("agent.action", "work"),
                KeyValue::new("agent.run.id", "run-7"),
                KeyValue::new("attempt", attempt),
            ])
            .start(&self.tracer);
        let context = Context::current_with_span(span);
        let result = work(fails).with_context(context.clone()).await;
        let elapsed = began.elapsed();
        let status = end(&context, &result, "agent.status", "agent.duration.ms", elapsed, true);
        self.metrics.agent_ended(status, elapsed.as_secs_f64() * 1_000.0, result.is_err());
        result
    }
}

fn end(
    context: &Context,
    result: &Result<u32, WorkError>,
    status_key: &'static str,
    duration_key: &'static str,
    elapsed: std::time::Duration,
    tells: bool,
) -> &'static str {
    let span = context.span();
    let status = if result.is_ok() { "SUCCESS" } else { "FAILED" };
    span.set_attribute(KeyValue::new(status_key, status));
    span.set_attribute(KeyValue::new(
        duration_key,
        i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX),
    ));
    match result {
        Ok(_) => span.set_status(Status::Ok),
        Err(error) => {
            let message = error.to_string();
            span.set_attribute(KeyValue::new("error.type", ERROR_TYPE));
            if tells {
                span.set_attribute(KeyValue::new("error.message", message.clone()));
            }
            span.add_event(
                "exception",
                vec![
                    KeyValue::new("exception.type", std::any::type_name::<WorkError>()),
                    KeyValue::new("exception.message", message.clone()),
                ],
            );
            span.set_status(Status::error(message));
        }
    }
    span.end();
    status
}
