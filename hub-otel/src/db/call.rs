//! One statement that runs: its span, its duration, and the drop guard that ends it.

use crate::db::acquire::Begun;
use crate::db::error;
use crate::db::summary::Summary;
use crate::db::system::System;
use crate::instance::Instance;
use crate::instrumentation::is_suppressed;
use crate::semconv::{attribute as a, instrumentation as boundary, kv};
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::Link;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use std::sync::Arc;
use std::time::Instant;

/// A call that has begun and not ended. Dropping it ends it.
pub(super) struct Call {
    context: Context,
    instance: Arc<Instance>,
    labels: Vec<KeyValue>,
    started: Instant,
    rows: u64,
    /// The statement asks for rows: none is a number too.
    selects: bool,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The driver was asked and has not answered.
    Waiting,
    /// The driver's code runs now. Still so when dropped: it panicked.
    Inside,
    /// The driver gave something, and was not asked again.
    Answered,
    Ended,
}

impl Call {
    pub(super) fn begin(
        instance: Arc<Instance>,
        system: &System,
        sql: &str,
        links: Vec<SpanContext>,
    ) -> Self {
        let summary = instance.db().summary(sql);
        Self::open(instance, system, &summary, links, None)
    }

    /// A call without a statement, which began a while ago.
    pub(super) fn begun(instance: Arc<Instance>, system: &System, begun: Begun) -> Self {
        Self::open(instance, system, &Summary::of(""), Vec::new(), Some(begun))
    }

    fn open(
        instance: Arc<Instance>,
        system: &System,
        summary: &Summary,
        links: Vec<SpanContext>,
        begun: Option<Begun>,
    ) -> Self {
        let started = begun.map_or_else(Instant::now, |begun| begun.instant);
        let parent = Context::current();
        let mut labels = Vec::with_capacity(system.attributes.len() + 5);
        labels.extend(system.attributes.iter().cloned());
        describe(summary, &mut labels);
        let context = if parent.is_telemetry_suppressed() || is_suppressed(&parent) {
            parent
        } else {
            let name = match &summary.text {
                Some(text) => text.to_string().into(),
                None => system.target.clone().into(),
            };
            let mut builder = SpanBuilder::from_name::<std::borrow::Cow<'static, str>>(name)
                .with_kind(SpanKind::Client)
                .with_attributes(labels.clone())
                .with_links(links.into_iter().map(Link::with_context).collect());
            if let Some(begun) = begun {
                builder = builder.with_start_time(begun.at);
            }
            #[expect(clippy::disallowed_methods, reason = "the one opener of database spans")]
            let span = instance.tracer.build_with_context(builder, &parent);
            parent.with_span(span)
        };
        Self {
            context,
            instance,
            labels,
            started,
            rows: 0,
            selects: summary.selects(),
            phase: Phase::Waiting,
        }
    }

    /// Runs the driver's code inside the span's context.
    pub(super) fn run<R>(&mut self, code: impl FnOnce() -> R) -> R {
        self.phase = Phase::Inside;
        let guard = self.context.clone().attach();
        let result = code();
        drop(guard);
        self.phase = Phase::Waiting;
        result
    }

    pub(super) fn row(&mut self) {
        self.rows += 1;
    }

    /// The driver gave something: a caller who stops here has what it wanted.
    pub(super) fn answered(&mut self) {
        self.phase = Phase::Answered;
    }

    pub(super) fn succeeded(mut self) {
        self.end(None);
    }

    pub(super) fn failed(mut self, error: &sqlx::Error) {
        if let Some(code) = error::code(error) {
            let code = kv(a::DB_RESPONSE_STATUS_CODE, code);
            self.context.span().set_attribute(code.clone());
            self.labels.push(code);
        }
        self.end(Some(error::kind(error)));
    }

    fn end(&mut self, failure: Option<&'static str>) {
        if std::mem::replace(&mut self.phase, Phase::Ended) == Phase::Ended
            || self.context.is_telemetry_suppressed()
        {
            return;
        }
        let span = self.context.span();
        if self.rows > 0 || (self.selects && failure.is_none()) {
            span.set_attribute(kv(
                a::DB_RESPONSE_RETURNED_ROWS,
                i64::try_from(self.rows).unwrap_or(i64::MAX),
            ));
        }
        if let Some(kind) = failure {
            let kind = kv(a::ERROR_TYPE, kind);
            span.set_attribute(kind.clone());
            span.set_status(Status::error(""));
            self.labels.push(kind);
        }
        self.instance.db().duration.record(self.started.elapsed().as_secs_f64(), &self.labels);
        // A quiet call has no span of its own: the context's is somebody else's, or none.
        if span.span_context().is_valid() {
            span.end();
        }
    }
}

fn describe(summary: &Summary, labels: &mut Vec<KeyValue>) {
    labels.extend(summary.operation.clone().map(|operation| kv(a::DB_OPERATION_NAME, operation)));
    labels
        .extend(summary.collection.clone().map(|collection| kv(a::DB_COLLECTION_NAME, collection)));
    labels.extend(summary.text.clone().map(|text| kv(a::DB_QUERY_SUMMARY, text)));
}

impl Drop for Call {
    fn drop(&mut self) {
        match self.phase {
            Phase::Waiting => self.end(Some(boundary::CANCELLED)),
            Phase::Inside => self.end(Some(boundary::PANIC)),
            Phase::Answered => self.end(None),
            Phase::Ended => {}
        }
    }
}
