//! One database operation in flight: its span, its duration, and the drop guard that ends it.

use crate::db::error;
use crate::db::metrics::Statement;
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
    system: Arc<System>,
    statement: Arc<Statement>,
    started: Instant,
    rows: u64,
    state: State,
}

/// The failure of an operation.
struct Failure {
    error_type: &'static str,
    /// `db.response.status_code`.
    code: Option<KeyValue>,
}

impl Failure {
    fn of(error_type: &'static str) -> Self {
        Self { error_type, code: None }
    }
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
        system: &Arc<System>,
        sql: &str,
        links: Vec<SpanContext>,
    ) -> Self {
        let statement = instance.db().statement(sql);
        Self::open(instance, system, statement, links, None)
    }

    /// Starts an operation whose statement began at `start`.
    pub(super) fn since(
        instance: Arc<Instance>,
        system: &Arc<System>,
        sql: &str,
        start: StartTime,
    ) -> Self {
        let statement = instance.db().statement(sql);
        Self::open(instance, system, statement, Vec::new(), Some(start))
    }

    /// Records an operation without a statement, which started at `start`.
    pub(super) fn without_statement(
        instance: Arc<Instance>,
        system: &Arc<System>,
        start: StartTime,
    ) -> Self {
        Self::open(instance, system, Arc::new(Statement::of("")), Vec::new(), Some(start))
    }

    fn open(
        instance: Arc<Instance>,
        system: &Arc<System>,
        statement: Arc<Statement>,
        links: Vec<SpanContext>,
        start: Option<StartTime>,
    ) -> Self {
        let started = start.map_or_else(Instant::now, |start| start.instant);
        let parent = Context::current();
        let context = if parent.is_telemetry_suppressed() || is_suppressed(&parent) {
            parent
        } else {
            // Database spans, "Name": the summary, else the target.
            let name: Cow<'static, str> = match &statement.summary.text {
                Some(text) => text.to_string().into(),
                None => system.target.clone().into(),
            };
            // With space for the number of rows, or for the error and its code.
            let mut attributes = Vec::with_capacity(system.attributes.len() + 5);
            statement.push_labels(system, &mut attributes);
            let mut builder = SpanBuilder::from_name(name)
                .with_kind(SpanKind::Client)
                .with_attributes(attributes);
            if !links.is_empty() {
                builder = builder.with_links(links.into_iter().map(Link::with_context).collect());
            }
            if let Some(start) = start {
                builder = builder.with_start_time(start.at);
            }
            #[expect(clippy::disallowed_methods, reason = "the only opener of database spans")]
            let span = instance.tracer.build_with_context(builder, &parent);
            parent.with_span(span)
        };
        let system = Arc::clone(system);
        Self { context, instance, system, statement, started, rows: 0, state: State::Waiting }
    }

    /// Polls the driver with the span's context attached. Behind a row, the context is attached
    /// only after the driver had to be waited for: it returns the rows that it has read without
    /// other calls.
    pub(super) fn poll<R>(&mut self, driver: impl FnOnce() -> R) -> R {
        let has_rows = self.state == State::Yielded;
        self.state = State::Polling;
        let guard = (!has_rows).then(|| self.context.clone().attach());
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
        let code = error::status_code(error).map(|code| kv(a::DB_RESPONSE_STATUS_CODE, code));
        self.end(Some(Failure { error_type: error::error_type(error), code }));
    }

    fn end(&mut self, failure: Option<Failure>) {
        if std::mem::replace(&mut self.state, State::Ended) == State::Ended
            || self.context.is_telemetry_suppressed()
        {
            return;
        }
        let span = self.context.span();
        // A query reports its number of rows even if it is zero.
        if self.rows > 0 || (failure.is_none() && self.statement.summary.is_select()) {
            let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
            span.set_attribute(kv(a::DB_RESPONSE_RETURNED_ROWS, rows));
        }
        let (metrics, elapsed) = (self.instance.db(), self.started.elapsed());
        if let Some(Failure { error_type, code }) = failure {
            let mut labels = Vec::new();
            self.statement.push_labels(&self.system, &mut labels);
            for attribute in code.into_iter().chain([kv(a::ERROR_TYPE, error_type)]) {
                span.set_attribute(attribute.clone());
                labels.push(attribute);
            }
            span.set_status(Status::error(""));
            metrics.duration.record(elapsed.as_secs_f64(), &labels);
        } else {
            metrics.record(&self.system, &self.statement, elapsed);
        }
        // A suppressed operation has no span: it runs under an excluded request, without one.
        if span.span_context().is_valid() {
            span.end();
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        match self.state {
            State::Waiting => self.end(Some(Failure::of(error_type::CANCELLED))),
            State::Polling => self.end(Some(Failure::of(error_type::PANIC))),
            State::Yielded => self.end(None),
            State::Ended => {}
        }
    }
}
