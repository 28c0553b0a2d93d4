//! Calls of models and tools that other libraries record as spans, inside of a unit.

use crate::gen_ai::Run;
use crate::gen_ai::details;
use crate::gen_ai::foreign_span::{ForeignCall, foreign_call, is_foreign_call, record_foreign};
use crate::gen_ai::recorder::GenAiRecorder;
use crate::unit::stack;
use crate::unit::state::ActiveUnit;
use opentelemetry_sdk::trace::SpanData;
use std::sync::Arc;

/// Records the call that a finished span is, and charges it to the unit that the span ends in.
/// No-op for other spans, and for a call that a unit counts: the one around it, or one directly
/// below it.
///
/// A span that ends on a thread without its unit is counted without agent and workflow.
///
/// The content of a call is emitted as an event, if it is recorded in events.
pub(crate) fn record_foreign_call(recorder: &Arc<GenAiRecorder>, span: &mut SpanData) {
    let content = details::content_of_foreign(recorder, span);
    recorder.content.admit_foreign(span);
    count_foreign_call(recorder, span);
    details::emit_foreign(recorder, span, &content);
}

fn count_foreign_call(recorder: &Arc<GenAiRecorder>, span: &mut SpanData) {
    if !is_foreign_call(span) {
        return;
    }
    let unit = stack::current_unit().filter(|unit| belongs_to(unit, recorder, span));
    let run = unit.as_ref().map_or_else(Run::default, |unit| unit.run());
    let Some(call) = foreign_call(span, run) else { return };
    if recorder.take_counted_below(span.span_context.span_id(), call.kind())
        || unit.as_ref().is_some_and(|unit| is_same_call(unit, &call))
    {
        return;
    }
    if let Some((kind, charge)) = record_foreign(recorder, span, &call)
        && let Some(unit) = unit
    {
        unit.charge_foreign(kind, charge);
    }
}

/// Returns whether the unit is the outer part of `call`, whose facts complete its own.
fn is_same_call(unit: &ActiveUnit, call: &ForeignCall) -> bool {
    if unit.kind.is_counted() {
        return false;
    }
    let mut late = unit.change_late();
    let outer = late.as_mut().and_then(|late| late.call.as_mut());
    outer.is_some_and(|outer| outer.absorb(call))
}

/// Returns whether the span was recorded by the instance of `unit`, in its trace.
fn belongs_to(unit: &ActiveUnit, recorder: &Arc<GenAiRecorder>, span: &SpanData) -> bool {
    let own = unit.span.as_ref().map(|own| own.context().trace_id());
    Arc::ptr_eq(&unit.instance.gen_ai, recorder)
        && own.is_none_or(|own| own == span.span_context.trace_id())
}
