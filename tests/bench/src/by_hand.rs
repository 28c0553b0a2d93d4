//! Manual instrumentation: tracer and instruments are created once, and constant attributes are
//! built once where possible.

use crate::manual_metrics::{ERROR_TYPE, Metrics};
use crate::{WorkError, work, work_of};
use opentelemetry::trace::{FutureExt, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use std::time::{Duration, Instant};

pub struct ByHand<M> {
    pub tracer: SdkTracer,
    pub metrics: M,
}

impl<M: Metrics> ByHand<M> {
    pub async fn workflow(&self, attempt: i64, fails: bool) -> Result<u32, WorkError> {
        let started = Instant::now();
        let context = self.start_workflow(attempt);
        self.metrics.workflow_started();
        let result = work(fails).with_context(context.clone()).await;
        self.end_workflow(&context, &result, started.elapsed());
        result
    }

    /// A workflow around four agents, each inside the one before.
    pub async fn nested(&self, attempt: i64) -> Result<u32, WorkError> {
        let started = Instant::now();
        let context = self.start_workflow(attempt);
        self.metrics.workflow_started();
        let result = async {
            self.agent_of_run(attempt, async {
                self.agent_of_run(attempt, async {
                    self.agent_of_run(attempt, self.agent_of_run(attempt, work(false))).await
                })
                .await
            })
            .await
        }
        .with_context(context.clone())
        .await;
        self.end_workflow(&context, &result, started.elapsed());
        result
    }

    /// A workflow whose work is pending `polls` times.
    pub async fn polled(&self, attempt: i64, polls: usize) -> Result<u32, WorkError> {
        let started = Instant::now();
        let context = self.start_workflow(attempt);
        self.metrics.workflow_started();
        let result = work_of(polls).with_context(context.clone()).await;
        self.end_workflow(&context, &result, started.elapsed());
        result
    }

    pub async fn agent(&self, attempt: i64, fails: bool) -> Result<u32, WorkError> {
        self.agent_with(agent_attributes(attempt), work(fails)).await
    }

    /// An agent with the identity of the workflow around it.
    async fn agent_of_run(
        &self,
        attempt: i64,
        work: impl Future<Output = Result<u32, WorkError>>,
    ) -> Result<u32, WorkError> {
        let run =
            [KeyValue::new("workflow.id", "bench"), KeyValue::new("workflow.run.id", "run-7")];
        self.agent_with(agent_attributes(attempt).into_iter().chain(run), work).await
    }

    async fn agent_with(
        &self,
        attributes: impl IntoIterator<Item = KeyValue>,
        work: impl Future<Output = Result<u32, WorkError>>,
    ) -> Result<u32, WorkError> {
        let started = Instant::now();
        let span = self
            .tracer
            .span_builder("agent.execute")
            .with_attributes(attributes)
            .start(&self.tracer);
        let context = Context::current_with_span(span);
        let result = work.with_context(context.clone()).await;
        let elapsed = started.elapsed();
        let status = end(&context, &result, "agent.status", "agent.duration.ms", elapsed, true);
        self.metrics.agent_ended(status, elapsed.as_secs_f64() * 1_000.0, result.is_err());
        result
    }

    fn start_workflow(&self, attempt: i64) -> Context {
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
        Context::current_with_span(span)
    }

    fn end_workflow(&self, context: &Context, result: &Result<u32, WorkError>, elapsed: Duration) {
        let status =
            end(context, result, "workflow.status", "workflow.duration.ms", elapsed, false);
        self.metrics.workflow_ended(status, elapsed.as_secs_f64() * 1_000.0, result.is_err());
    }
}

fn agent_attributes(attempt: i64) -> [KeyValue; 5] {
    [
        KeyValue::new("agent.id", "bench"),
        KeyValue::new("agent.name", "Bench"),
        KeyValue::new("agent.action", "work"),
        KeyValue::new("agent.run.id", "run-7"),
        KeyValue::new("attempt", attempt),
    ]
}

fn end(
    context: &Context,
    result: &Result<u32, WorkError>,
    status_key: &'static str,
    duration_key: &'static str,
    elapsed: Duration,
    has_message: bool,
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
            if has_message {
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
