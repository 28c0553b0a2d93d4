//! End of a unit: late state, log record, metrics and span, in this order, exactly once: by the
//! unit itself, or by the shutdown of telemetry.

#[cfg(feature = "sdk")]
use crate::gen_ai::details;
use crate::options::Options;
use crate::semconv::value::ended_by;
use crate::semconv::{attribute as a, kv};
use crate::unit::call;
use crate::unit::ending::{Ending, SpanEnd};
use crate::unit::events;
use crate::unit::open_units::{LogEnd, OpenUnit, OpenWorkflow};
use crate::unit::raw_span::RawSpan;
use crate::unit::span::RecordedSpan;
use crate::unit::state::{ActiveUnit, Finished};
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
#[cfg(feature = "live")]
use opentelemetry::trace::SpanId;
use opentelemetry::trace::TraceContextExt;
#[cfg(feature = "live")]
use opentelemetry_sdk::trace::SpanData;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ends `unit`, unless it has ended. Its context is attached, so that the last log record carries
/// its ids.
pub(super) fn finish_unit(unit: &ActiveUnit, ending: Ending) {
    // It is left already: a span processor that logs must not find the unit's span in it.
    unit.ambient.close();
    if let Some(finished) = seal(unit, ending, events::logs_end()) {
        events::log_ended(unit.kind, &finished);
        record_end(unit, finished);
    }
}

/// Ends `unit` without log records, during the destruction of the thread's thread-locals: a
/// subscriber needs some of them.
#[cold]
pub(super) fn finish_detached(unit: &ActiveUnit, ending: Ending) {
    unit.ambient.close();
    unit.change_span(|span, _| span.clear_details());
    if let Some(finished) = seal(unit, ending, false) {
        record_end(unit, finished);
    }
}

#[inline(always)]
#[cfg_attr(
    not(feature = "sdk"),
    expect(unused_mut, reason = "the event about a call takes its content from the span")
)]
fn record_end(unit: &ActiveUnit, mut finished: Finished) {
    let elapsed = unit.started.elapsed();
    if unit.kind.is_counted() {
        record_metrics(&finished, unit.executed_before + elapsed);
    } else {
        call::record_end(unit, &mut finished, elapsed);
    }
    if let Some(mut span) = unit.span.as_ref().and_then(RecordedSpan::take) {
        let Finished { mut ending, suspended, retries, .. } = finished;
        if let Some(usd) = unit.spending.usd() {
            ending.attributes.push(kv(cost_key(unit.kind), usd));
        }
        let Options { ok_status, exceptions, .. } = unit.instance.options;
        let end = SpanEnd { elapsed, ending, suspended, retries, ok_status, exceptions };
        #[cfg(feature = "sdk")]
        if unit.kind == UnitKind::Llm {
            details::emit_unit(&unit.instance.gen_ai, &mut span, &end, &unit.instance.span_limits);
        }
        unit.instance.spans.end(span, end);
    }
    unit.set_recorded();
}

fn cost_key(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Workflow => a::WORKFLOW_COST_USD,
        UnitKind::Agent => a::AGENT_COST_USD,
        // Units of calls have no units below them that have a cost of their own.
        UnitKind::Llm | UnitKind::Tool => a::AGENT_COST_USD,
    }
}

impl OpenUnit for ActiveUnit {
    fn is_open(&self) -> bool {
        !self.is_recorded()
    }

    fn started(&self) -> Instant {
        self.started
    }

    fn workflow(&self) -> Option<OpenWorkflow> {
        if self.kind != UnitKind::Workflow {
            return None;
        }
        let late = self.late();
        let executed = self.started.elapsed().saturating_sub(late.waited());
        Some(OpenWorkflow { label_set: Arc::clone(&late.label_set), executed })
    }

    #[cfg(feature = "live")]
    fn span(&self, id: SpanId) -> Option<SpanData> {
        let span = self.span.as_ref().filter(|span| span.context().span_id() == id)?;
        let mut data = None;
        span.change(|open| data = self.instance.spans.snapshot(open));
        data
    }

    /// Ends the unit CANCELLED, or suspended after `suspend_on_drop`. Its body may still run: what
    /// it records later has no effect.
    fn end_by_shutdown(self: Arc<Self>) -> Option<LogEnd> {
        let mut ending = Ending::cancelled();
        ending.attributes.push(kv(a::ENDED_BY, ended_by::SHUTDOWN));
        let finished = seal(&self, ending, events::logs_end())?;
        let logged = Finished {
            label_set: Arc::clone(&finished.label_set),
            ending: Ending::cancelled(),
            suspended: finished.suspended.clone(),
            workflow: finished.workflow.clone(),
            retries: finished.retries,
            waited: finished.waited,
            call: None,
        };
        record_end(&self, finished);
        Some(Box::new(move || {
            // A context of its own: telemetry is suppressed in the one of the export thread.
            let mut context = Context::new().with_value(Arc::clone(&self));
            if self.span.is_some() {
                context = context.with_span(RawSpan(Arc::clone(&self)));
            }
            let _attached = context.attach();
            events::log_ended(self.kind, &logged);
        }))
    }
}

#[inline(always)]
fn seal(unit: &ActiveUnit, mut ending: Ending, logs: bool) -> Option<Finished> {
    let mut late = unit.seal()?;
    let suspended = late.apply_to(&mut ending);
    let workflow = if logs { unit.workflow_of(&mut late) } else { None };
    let call = late.call.take();
    if let Some(call) = call.as_ref().filter(|_| unit.span.is_some()) {
        call.describe_end(unit.instance.options.gen_ai_names, &mut ending.attributes);
    }
    Some(Finished {
        label_set: Arc::clone(&late.label_set),
        ending,
        suspended,
        workflow,
        retries: late.retries,
        waited: late.waited(),
        call,
    })
}

#[inline]
fn record_metrics(finished: &Finished, executed: Duration) {
    let Finished { label_set, ending, .. } = finished;
    label_set.add_active(-1);
    if finished.suspended.is_some() {
        // The run continues in another segment, which counts it.
        return;
    }
    label_set.record_end(ending.status, executed.saturating_sub(finished.waited));
    if let Some(failure) = ending.failure.as_ref().filter(|_| ending.status.is_failure()) {
        label_set.record_error(&failure.error_type);
    }
}
