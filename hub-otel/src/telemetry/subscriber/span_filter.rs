//! The filter of the layer that exports `tracing` spans.

use crate::telemetry::subscriber::is_exported;
use crate::unit::{ambient, stack};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// Passes spans of the application by the inner filter and the spans of units always.
///
/// Spans are dropped where telemetry is suppressed: on the export threads the crates of the
/// exporters open some with `parent: None`, which the suppression in the context does not reach.
///
/// Events are log records. Only an event at ERROR is also recorded on the span that it occurs in,
/// because `#[tracing::instrument(err)]` reports the failure by one. The status of a unit does not
/// depend on log lines.
#[derive(Debug)]
pub(super) struct SpanFilter<F>(pub(super) F);

/// Returns whether the events of a call site may be recorded on a span: not those of the `log`
/// crate, which have this name in filters.
fn is_failure(metadata: &Metadata<'_>) -> bool {
    *metadata.level() == Level::ERROR && is_exported(metadata) && metadata.name() != "log record"
}

/// Returns whether the current span is one of the application, not of a unit.
fn is_in_span<S>(context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    context.lookup_current().is_some_and(|span| !ambient::is_unit(span.metadata()))
}

impl<S, F> Filter<S> for SpanFilter<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Filter<S>,
{
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        if ambient::is_unit(metadata) {
            return true;
        }
        let is_candidate = if metadata.is_span() {
            !stack::is_suppressed()
        } else {
            is_failure(metadata) && is_in_span(context)
        };
        is_candidate && self.0.enabled(metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if ambient::is_unit(metadata) {
            return Interest::always();
        }
        let is_candidate = metadata.is_span() || is_failure(metadata);
        if !is_candidate || self.0.callsite_enabled(metadata).is_never() {
            Interest::never()
        } else {
            Interest::sometimes()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // The spans of units are at ERROR, which every level but OFF includes. OFF leaves the level
        // to the other layers: if it is OFF as well, units open no span.
        self.0.max_level_hint()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.0.on_record(id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}
