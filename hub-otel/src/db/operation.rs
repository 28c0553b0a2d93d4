//! One database operation in flight: its span, its duration, and the drop guard that ends it.

use crate::db::error;
use crate::db::summary::Summary;
use crate::db::system::System;
use crate::instance::Instance;
use crate::instrumentation::is_suppressed;
use crate::semconv::{attribute as a, error_type, kv};
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::Link;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use std::time::SystemTime;

/// The start of an operation, by the clock (for the span) and monotonic (for the duration).
#[derive(Debug, Clone, Copy)]
pub(super) struct StartTime {
    at: SystemTime,
    instant: Instant,
}

impl StartTime {
    pub(super) fn now() -> Self {
        Self { at: SystemTime::now(), instant: Instant::now() }
    }
}

/// An operation that has started and not ended. Dropping it ends it.
pub(super) struct Operation {
    context: Context,
    instance: Arc<Instance>,
    labels: Vec<KeyValue>,
    started: Instant,
    rows: u64,
    /// The statement is a query: its number of rows is reported even if it is zero.
    is_select: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The driver returned `Pending`, or was not polled yet.
    Waiting,
    /// The driver is being polled. Still set in `drop`: the driver panicked.
    Polling,
    /// The driver returned a row and was not polled again. Dropped now, the operation succeeded:
    /// the reader has read as many rows as it wanted.
    Yielded,
    Ended,
}

impl Operation {
    pub(super) fn start(
        instance: Arc<Instance>,
        system: &System,
        sql: &str,
        links: Vec<SpanContext>,
    ) -> Self {
        let summary = instance.db().summary(sql);
        Self::open(instance, system, &summary, links, None)
    }

    /// Starts an operation whose statement began at `start`.
    pub(super) fn since(
        instance: Arc<Instance>,
        system: &System,
        sql: &str,
        start: StartTime,
    ) -> Self {
        let summary = instance.db().summary(sql);
        Self::open(instance, system, &summary, Vec::new(), Some(start))
    }

    /// Records an operation without a statement, which started at `start`.
    pub(super) fn without_statement(
        instance: Arc<Instance>,
        system: &System,
        start: StartTime,
    ) -> Self {
        Self::open(instance, system, &Summary::of(""), Vec::new(), Some(start))
    }

    fn open(
        instance: Arc<Instance>,
        system: &System,
        summary: &Summary,
        links: Vec<SpanContext>,
        start: Option<StartTime>,
    ) -> Self {
        let started = start.map_or_else(Instant::now, |start| start.instant);
        let parent = Context::current();
        let mut labels = Vec::with_capacity(system.attributes.len() + 5);
        labels.extend(system.attributes.iter().cloned());
        push_summary(summary, &mut labels);
        let context = if parent.is_telemetry_suppressed() || is_suppressed(&parent) {
            parent
        } else {
            // Database spans, "Name": the summary, else the target.
            let name: Cow<'static, str> = match &summary.text {
                Some(text) => text.to_string().into(),
                None => system.target.clone().into(),
            };
            let mut builder = SpanBuilder::from_name(name)
                .with_kind(SpanKind::Client)
                .with_attributes(labels.clone())
                .with_links(links.into_iter().map(Link::with_context).collect());
            if let Some(start) = start {
                builder = builder.with_start_time(start.at);
            }
            #[expect(clippy::disallowed_methods, reason = "the only opener of database spans")]
            let span = instance.tracer.build_with_context(builder, &parent);
            parent.with_span(span)
        };
        let is_select = summary.is_select();
        Self { context, instance, labels, started, rows: 0, is_select, state: State::Waiting }
    }

    /// Polls the driver with the span's context attached.
    pub(super) fn poll<R>(&mut self, driver: impl FnOnce() -> R) -> R {
        self.state = State::Polling;
        let guard = self.context.clone().attach();
        let result = driver();
        drop(guard);
        self.state = State::Waiting;
        result
    }

    pub(super) fn count_row(&mut self) {
        self.rows += 1;
    }

    /// Notes that the driver returned a row: see [`State::Yielded`].
    pub(super) fn set_yielded(&mut self) {
        self.state = State::Yielded;
    }

    pub(super) fn succeed(mut self) {
        self.end(None);
    }

    pub(super) fn fail(mut self, error: &sqlx::Error) {
        if let Some(code) = error::status_code(error) {
            let code = kv(a::DB_RESPONSE_STATUS_CODE, code);
            self.context.span().set_attribute(code.clone());
            self.labels.push(code);
        }
        self.end(Some(error::error_type(error)));
    }

    fn end(&mut self, error_type: Option<&'static str>) {
        if std::mem::replace(&mut self.state, State::Ended) == State::Ended
            || self.context.is_telemetry_suppressed()
        {
            return;
        }
        let span = self.context.span();
        if self.rows > 0 || (self.is_select && error_type.is_none()) {
            let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
            span.set_attribute(kv(a::DB_RESPONSE_RETURNED_ROWS, rows));
        }
        if let Some(error_type) = error_type {
            let error_type = kv(a::ERROR_TYPE, error_type);
            span.set_attribute(error_type.clone());
            span.set_status(Status::error(""));
            self.labels.push(error_type);
        }
        self.instance.db().duration.record(self.started.elapsed().as_secs_f64(), &self.labels);
        // A suppressed operation has no span: it runs under an excluded request, without one.
        if span.span_context().is_valid() {
            span.end();
        }
    }
}

fn push_summary(summary: &Summary, labels: &mut Vec<KeyValue>) {
    let operation = summary.operation.clone();
    labels.extend(operation.map(|operation| kv(a::DB_OPERATION_NAME, operation)));
    let collection = summary.collection.clone();
    labels.extend(collection.map(|collection| kv(a::DB_COLLECTION_NAME, collection)));
    labels.extend(summary.text.clone().map(|text| kv(a::DB_QUERY_SUMMARY, text)));
}

impl Drop for Operation {
    fn drop(&mut self) {
        match self.state {
            State::Waiting => self.end(Some(error_type::CANCELLED)),
            State::Polling => self.end(Some(error_type::PANIC)),
            State::Yielded => self.end(None),
            State::Ended => {}
        }
    }
}
