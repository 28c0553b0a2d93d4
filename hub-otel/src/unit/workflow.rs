//! Workflows without the macro, and runs that end while nothing runs.

use crate::instance;
use crate::metrics::Dimensions;
use crate::semconv::{attribute as a, event, kv, span, status};
use crate::status::UnitStatus;
use crate::unit::builder::prelude::*;
use crate::unit::segment::{Resume, Segment};
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::trace::Link;
use opentelemetry::trace::Span as _;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::Status as SpanStatus;
use opentelemetry::trace::Tracer;

/// One segment of a workflow's run, where there is no function to annotate.
///
/// `id` is a metric label: a stable slug, never a generated id.
///
/// ```
/// # async fn scan() -> Result<(), std::io::Error> { Ok(()) }
/// # async fn example() -> Result<(), std::io::Error> {
/// hub_otel::workflow("scan-and-notify").run_id("run-7").trigger("schedule").run(scan()).await?;
/// # Ok(()) }
/// ```
pub fn workflow(id: impl Into<String>) -> Workflow {
    let mut draft = Draft::new(UnitKind::Workflow);
    draft.map(|opening| {
        opening.id(Text::Owned(id.into())).trigger(Text::Static(status::TRIGGER_MANUAL))
    });
    Workflow { draft }
}

/// A workflow's segment that is being described. See [`workflow`].
#[must_use = "nothing happens before `run` or `call`"]
pub struct Workflow {
    draft: Draft,
}

impl Workflow {
    /// What started the run: `manual` (the default), `schedule`, `event`, …
    pub fn trigger(mut self, trigger: impl Into<String>) -> Self {
        self.draft.map(|opening| opening.trigger(Text::Owned(trigger.into())));
        self
    }

    /// The next segment of a run that was suspended or handed over: id, trigger, run id and time executed are the
    /// segment's.
    pub fn resume(mut self, segment: impl Resume) -> Self {
        self.draft.map(|opening| opening.resume(segment));
        self
    }

    common!();
}

impl std::fmt::Debug for Workflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workflow").finish_non_exhaustive()
    }
}

/// A run reached a terminal state while no segment was running: it was rejected, it expired, it kept crashing.
///
/// Counts the run, records the time that its segments executed, and leaves a span without length that is linked to the
/// last segment. `error_type` is a stable identifier, for FAILED and TIMED_OUT.
pub(crate) fn record_end(segment: &Segment, status: UnitStatus, error_type: Option<&str>) {
    let Some(instance) = instance::current() else { return };
    let dimensions =
        Dimensions { id: &segment.workflow_id, trigger_or_action: &segment.trigger, extra: &[] };
    let set = instance.units.label_set(UnitKind::Workflow, &dimensions);
    set.record_end(status, segment.elapsed());
    let error_type = status.is_failure().then(|| error_type.unwrap_or(status::ERROR_TYPE_OTHER));
    if let Some(error_type) = error_type {
        set.record_error(error_type);
    }
    let name = segment.name.as_ref().unwrap_or(&segment.workflow_id).clone();
    let mut attributes = vec![
        kv(a::WORKFLOW_RUN_ID, segment.run_id.clone()),
        kv(a::WORKFLOW_ID, segment.workflow_id.clone()),
        kv(a::WORKFLOW_NAME, name),
        kv(a::WORKFLOW_TRIGGER, segment.trigger.clone()),
        kv(a::WORKFLOW_STATUS, status.as_str()),
        kv(a::WORKFLOW_DURATION_MS, 0),
    ];
    attributes.extend(error_type.map(|error_type| kv(a::ERROR_TYPE, error_type.to_owned())));
    let (_, now) = crate::unit::finish::now();
    let mut builder = SpanBuilder::from_name(span::WORKFLOW_EXECUTE)
        .with_kind(SpanKind::Internal)
        .with_start_time(now)
        .with_attributes(attributes);
    if let Some(last) = segment.span_context() {
        builder = builder.with_links(vec![Link::new(last, Vec::new(), 0)]);
    }
    #[expect(clippy::disallowed_methods, reason = "a span of the contract, written after the fact")]
    let mut span =
        Context::map_current(|parent| instance.tracer.build_with_context(builder, parent));
    match error_type {
        Some(error_type) => span.set_status(SpanStatus::error(error_type.to_owned())),
        None if status == UnitStatus::Success && instance.options.ok_status => {
            span.set_status(SpanStatus::Ok)
        }
        None => {}
    }
    span.end_with_timestamp(now);
    log(segment, status, error_type);
}

fn log(segment: &Segment, status: UnitStatus, error_type: Option<&str>) {
    macro_rules! ended {
        ($level:expr) => {
            tracing::event!(name: event::WORKFLOW_RUN_ENDED, target: crate::semconv::SCOPE, $level, {
                { a::WORKFLOW_ID } = segment.workflow_id,
                { a::WORKFLOW_RUN_ID } = segment.run_id,
                { a::WORKFLOW_STATUS } = status.as_str(),
                { a::ERROR_TYPE } = error_type,
            }, "{}", event::WORKFLOW_RUN_ENDED)
        };
    }
    if error_type.is_some() { ended!(tracing::Level::ERROR) } else { ended!(tracing::Level::INFO) }
}
