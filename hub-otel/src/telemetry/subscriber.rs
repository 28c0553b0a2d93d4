//! Export of `tracing` spans and events: the layers, and the default subscriber.

mod catch_panic;
#[cfg(feature = "tracing")]
mod integers;
mod line_writer;
#[cfg(feature = "logs")]
mod log_bridge;
#[cfg(feature = "logs")]
mod log_crate;
mod redacting_format;
#[cfg(feature = "logs")]
mod span_fields;
#[cfg(feature = "tracing")]
mod span_filter;
#[cfg(feature = "tracing")]
mod span_tracer;
mod unit_lines;
pub(crate) mod with_ids;

use crate::config::Config;
#[cfg(feature = "tracing")]
use crate::config::signal::Signal;
use crate::export::pipeline::Pipeline;
use crate::semconv::DIAGNOSTICS_TARGET;
use crate::telemetry::subscriber::catch_panic::CatchPanic;
#[cfg(feature = "tracing")]
use crate::telemetry::subscriber::integers::IntegerFields;
use crate::telemetry::subscriber::line_writer::LineWriter;
#[cfg(feature = "logs")]
use crate::telemetry::subscriber::log_bridge::LogBridge;
use crate::telemetry::subscriber::redacting_format::RedactingFields;
#[cfg(feature = "tracing")]
use crate::telemetry::subscriber::span_filter::SpanFilter;
#[cfg(feature = "tracing")]
use crate::telemetry::subscriber::span_tracer::SpanTracer;
use crate::telemetry::subscriber::unit_lines::UnitLines;
use crate::unit::unit_event;
use std::sync::{Arc, OnceLock};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterExt, FilterFn, filter_fn};
use tracing_subscriber::fmt;
#[cfg(feature = "tracing")]
use tracing_subscriber::layer::Filter;
use tracing_subscriber::layer::{Identity, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// Content of the layer for a subscriber of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exported {
    SpansAndEvents,
    Events,
}

/// The target prefix of the SDK's own events, which are never exported: they occur on application
/// threads while a record is emitted, and would cause the next one.
///
/// Events of the exporters' other dependencies (tonic, hyper) are not filtered by target, because
/// the application may use the same crates. Telemetry is suppressed on the export threads instead.
#[cfg(any(feature = "logs", feature = "tracing"))]
const OPENTELEMETRY: &str = "opentelemetry";

/// Returns whether the events of a call site are exported.
#[cfg(any(feature = "logs", feature = "tracing"))]
fn is_exported(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    !target.starts_with(OPENTELEMETRY) && target != DIAGNOSTICS_TARGET
}

/// Creates a filter of call sites. It does not raise the level of the subscriber, which RUST_LOG
/// and the filter of spans set.
fn callsites(
    is_enabled: fn(&Metadata<'_>) -> bool,
) -> FilterFn<impl Fn(&Metadata<'_>) -> bool + Clone> {
    filter_fn(move |metadata| is_enabled(metadata) && !is_unit(metadata))
        .with_max_level_hint(LevelFilter::TRACE)
}

#[cfg(feature = "tracing")]
use crate::unit::ambient::is_unit;

#[cfg(not(feature = "tracing"))]
fn is_unit(_: &Metadata<'_>) -> bool {
    false
}

fn env_filter(directives: &str) -> EnvFilter {
    // Validated by `Config::resolve`.
    EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"))
}

#[cfg(feature = "tracing")]
fn exports_spans(pipeline: &Pipeline) -> bool {
    pipeline.instance.options.tracing_spans
}

/// Returns the filter of `tracing` spans.
#[cfg(feature = "tracing")]
fn span_env_filter(pipeline: &Pipeline) -> EnvFilter {
    env_filter(if exports_spans(pipeline) { &pipeline.config.span_filter } else { "off" })
}

/// Returns the tracer of `tracing` spans. `None` if neither an exporter nor a component of the
/// application takes spans.
#[cfg(feature = "tracing")]
fn sdk_tracer(pipeline: &Pipeline) -> Option<crate::sdk_types::SdkTracer> {
    use opentelemetry::trace::TracerProvider;
    let is_taken = !pipeline.config.exporters(Signal::Traces).is_empty()
        || !pipeline.components.span_processors.is_empty();
    (is_taken && exports_spans(pipeline))
        .then(|| pipeline.tracer_provider.tracer(crate::semconv::TRACING_SCOPE))
}

/// Creates the layer that exports spans by `tracer`.
#[cfg(feature = "tracing")]
fn span_layer<S, F>(tracer: SpanTracer, filter: F) -> BoxedLayer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    F: Filter<S> + Send + Sync + 'static,
{
    crate::unit::ambient::enable(IntegerFields::is_in);
    let integers = IntegerFields::new(tracer.clone());
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    integers.and_then(layer).with_filter(SpanFilter(filter)).boxed()
}

/// Creates the layer that exports the spans and events of a subscriber of the application. The
/// events are filtered by RUST_LOG, the spans by a filter of their own.
pub(crate) fn layer<S>(pipeline: Option<&Pipeline>, exported: Exported) -> BoxedLayer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    #[cfg_attr(
        not(any(feature = "logs", feature = "tracing")),
        expect(unused_mut, reason = "nothing is exported")
    )]
    let mut layers: Vec<BoxedLayer<S>> = Vec::new();
    #[cfg(feature = "logs")]
    if let Some(pipeline) = pipeline
        && pipeline.logger_provider.is_some()
    {
        let filter = callsites(is_exported).and(env_filter(&pipeline.config.log_filter));
        let bridge = LogBridge::new(pipeline);
        layers.push(CatchPanic(bridge).with_filter(filter).boxed());
    }
    #[cfg(feature = "tracing")]
    if let Some(pipeline) = pipeline
        && exported == Exported::SpansAndEvents
        && let Some(tracer) = sdk_tracer(pipeline)
    {
        layers.push(span_layer(SpanTracer::new(Some(tracer), true), span_env_filter(pipeline)));
    }
    let _ = (pipeline, exported);
    // An empty list would be the level OFF.
    if layers.is_empty() { Identity::new().boxed() } else { layers.boxed() }
}

/// Forwards the records of the `log` crate to a subscriber of the application.
pub(crate) fn forward_log_crate() {
    #[cfg(feature = "logs")]
    log_crate::forward(LevelFilter::TRACE);
}

/// Sets the global subscriber: text lines on stderr, spans and log records by `pipeline`. A
/// subscriber that an earlier installation set is changed instead. Returns `false` if the
/// application set one.
pub(crate) fn set(pipeline: &Pipeline) -> bool {
    static OURS: OnceLock<OwnSubscriber> = OnceLock::new();
    let is_set = match OURS.get() {
        Some(ours) => {
            ours.replace(pipeline);
            true
        }
        None => {
            let (ours, subscriber) = OwnSubscriber::new(pipeline);
            let is_set = tracing::subscriber::set_global_default(subscriber).is_ok();
            if is_set {
                let _ = OURS.set(ours);
            }
            is_set
        }
    };
    if is_set {
        unit_event::set_sink(Arc::new(UnitLines::new(pipeline, prints_text, is_unit)));
        #[cfg(feature = "logs")]
        {
            let filter = env_filter(&pipeline.config.log_filter);
            log_crate::forward(filter.max_level_hint().unwrap_or(LevelFilter::TRACE));
        }
    }
    is_set
}

/// Returns whether `dispatch` is the subscriber of this library.
fn prints_text(dispatch: &Dispatch) -> bool {
    dispatch.is::<CatchPanic<reload::Layer<Text, Registry>>>()
}

type Text = fmt::Layer<Registry, RedactingFields, fmt::format::Format, LineWriter>;

/// The parts of our subscriber that the next installation replaces: a global subscriber cannot be.
struct OwnSubscriber {
    text: reload::Handle<Text, Registry>,
    #[cfg(feature = "logs")]
    logs: reload::Handle<LogBridge, Registry>,
    #[cfg(feature = "tracing")]
    tracer: SpanTracer,
    #[cfg(feature = "tracing")]
    span_filter: reload::Handle<EnvFilter, Registry>,
    filters: Vec<reload::Handle<EnvFilter, Registry>>,
}

impl OwnSubscriber {
    fn new(pipeline: &Pipeline) -> (Self, impl tracing::Subscriber + Send + Sync + use<>) {
        let config = &pipeline.config;
        let mut filters = Vec::new();
        let mut filter = || {
            let (filter, handle) = reload::Layer::new(env_filter(&config.log_filter));
            filters.push(handle);
            filter
        };
        let (text, text_handle) = reload::Layer::new(text(config));
        // Diagnostics are written to stderr directly, with a text of their own. One filter per
        // layer: `tracing::enabled!` is true if one of two nested filters is.
        let printed = callsites(|metadata| metadata.target() != DIAGNOSTICS_TARGET);
        // A list, because `and_then` on the registry applies the level of one layer only.
        #[cfg_attr(
            not(any(feature = "logs", feature = "tracing")),
            expect(unused_mut, reason = "nothing is exported")
        )]
        let mut layers: Vec<BoxedLayer<Registry>> =
            vec![CatchPanic(text).with_filter(printed.and(filter())).boxed()];
        #[cfg(feature = "logs")]
        let logs_handle = {
            let bridge = LogBridge::new(pipeline);
            let (bridge, handle) = reload::Layer::new(bridge);
            let filter = callsites(is_exported).and(filter());
            layers.push(CatchPanic(bridge).with_filter(filter).boxed());
            handle
        };
        #[cfg(feature = "tracing")]
        let (tracer, span_filter) = {
            let tracer = SpanTracer::new(sdk_tracer(pipeline), exports_spans(pipeline));
            let (filter, handle) = reload::Layer::new(span_env_filter(pipeline));
            layers.push(span_layer(tracer.clone(), filter));
            (tracer, handle)
        };
        let ours = Self {
            text: text_handle,
            #[cfg(feature = "logs")]
            logs: logs_handle,
            #[cfg(feature = "tracing")]
            tracer,
            #[cfg(feature = "tracing")]
            span_filter,
            filters,
        };
        (ours, Registry::default().with(layers))
    }

    fn replace(&self, pipeline: &Pipeline) {
        let config = &pipeline.config;
        // Fails only if a subscriber panicked before: its parts stay as they are.
        let _ = self.text.reload(text(config));
        #[cfg(feature = "logs")]
        let _ = self.logs.reload(LogBridge::new(pipeline));
        #[cfg(feature = "tracing")]
        {
            self.tracer.replace(sdk_tracer(pipeline), exports_spans(pipeline));
            let _ = self.span_filter.reload(span_env_filter(pipeline));
        }
        for filter in &self.filters {
            let _ = filter.reload(env_filter(&config.log_filter));
        }
    }
}

fn text(config: &Config) -> Text {
    use std::io::IsTerminal;
    fmt::layer()
        .fmt_fields(RedactingFields(config.deny.clone()))
        .with_writer(LineWriter)
        .with_ansi(!config.no_color && std::io::stderr().is_terminal())
}
