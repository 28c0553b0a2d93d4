//! Export of `tracing` events as log records: the layer, and the default subscriber.

mod catch_panic;
mod line_writer;
mod redacting_format;
pub(crate) mod with_ids;

use crate::config::Config;
use crate::semconv::DIAGNOSTICS_TARGET;
use crate::telemetry::subscriber::catch_panic::CatchPanic;
use crate::telemetry::subscriber::line_writer::LineWriter;
use crate::telemetry::subscriber::redacting_format::RedactingFields;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use std::sync::OnceLock;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

/// The target prefix of the SDK's own events, which are never exported: they occur on application
/// threads while a record is emitted, and would cause the next one.
///
/// Events of the exporters' other dependencies (tonic, hyper) are not filtered by target, because
/// the application may use the same crates. Telemetry is suppressed on the export threads instead.
#[cfg(feature = "logs")]
const OPENTELEMETRY: &str = "opentelemetry";

/// Returns whether the events of a call site are exported.
#[cfg(feature = "logs")]
fn is_exported(metadata: &tracing::Metadata<'_>) -> bool {
    let target = metadata.target();
    !target.starts_with(OPENTELEMETRY) && target != DIAGNOSTICS_TARGET
}

/// Creates the layer that exports events by `provider`.
#[cfg(feature = "logs")]
fn export(provider: Option<&SdkLoggerProvider>) -> Export {
    provider.map(opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge::new)
}

fn env_filter(directives: &str) -> EnvFilter {
    // Validated by `Config::resolve`.
    EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Creates the layer that exports events by `provider`, filtered by RUST_LOG.
pub(crate) fn layer<S>(
    provider: Option<&SdkLoggerProvider>,
    config: &Config,
) -> Option<Box<dyn Layer<S> + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    #[cfg(feature = "logs")]
    {
        let export = export(provider)?;
        let filter = filter_fn(is_exported).and(env_filter(&config.log_filter));
        Some(CatchPanic(export).with_filter(filter).boxed())
    }
    #[cfg(not(feature = "logs"))]
    {
        let _ = (provider, config);
        None
    }
}

/// Sets the global subscriber: text lines on stderr, and log records by `provider`. A subscriber
/// that an earlier installation set is changed instead. Returns `false` if the application set one.
pub(crate) fn set(provider: Option<&SdkLoggerProvider>, config: &Config) -> bool {
    static OURS: OnceLock<OwnSubscriber> = OnceLock::new();
    if let Some(ours) = OURS.get() {
        ours.replace(provider, config);
        return true;
    }
    let (ours, subscriber) = OwnSubscriber::new(provider, config);
    let is_set = tracing::subscriber::set_global_default(subscriber).is_ok();
    if is_set {
        let _ = OURS.set(ours);
    }
    is_set
}

type Text = fmt::Layer<Registry, RedactingFields, fmt::format::Format, LineWriter>;
#[cfg(feature = "logs")]
type Export = Option<
    opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge<
        SdkLoggerProvider,
        opentelemetry_sdk::logs::SdkLogger,
    >,
>;

/// The parts of our subscriber that the next installation replaces: a global subscriber cannot be.
struct OwnSubscriber {
    text: reload::Handle<Text, Registry>,
    #[cfg(feature = "logs")]
    export: reload::Handle<Export, Registry>,
    filters: Vec<reload::Handle<EnvFilter, Registry>>,
}

impl OwnSubscriber {
    fn new(
        provider: Option<&SdkLoggerProvider>,
        config: &Config,
    ) -> (Self, impl tracing::Subscriber + Send + Sync + use<>) {
        let mut filters = Vec::new();
        let mut filter = || {
            let (filter, handle) = reload::Layer::new(env_filter(&config.log_filter));
            filters.push(handle);
            filter
        };
        let (text, text_handle) = reload::Layer::new(text(config));
        let mut layers = Vec::new();
        #[cfg(feature = "logs")]
        let export_handle = {
            let (export, handle) = reload::Layer::new(export(provider));
            layers
                .push(CatchPanic(export).with_filter(filter_fn(is_exported).and(filter())).boxed());
            handle
        };
        #[cfg(not(feature = "logs"))]
        let _ = provider;
        // Diagnostics are written to stderr directly, with a text of their own. One filter per
        // layer: `tracing::enabled!` is true if one of two nested filters is.
        let not_diagnostics = filter_fn(|metadata| metadata.target() != DIAGNOSTICS_TARGET);
        layers.push(CatchPanic(text).with_filter(not_diagnostics.and(filter())).boxed());
        let ours = Self {
            text: text_handle,
            #[cfg(feature = "logs")]
            export: export_handle,
            filters,
        };
        (ours, Registry::default().with(layers))
    }

    fn replace(&self, provider: Option<&SdkLoggerProvider>, config: &Config) {
        // Fails only if a subscriber panicked before: its parts stay as they are.
        let _ = self.text.reload(text(config));
        #[cfg(feature = "logs")]
        let _ = self.export.reload(export(provider));
        #[cfg(not(feature = "logs"))]
        let _ = provider;
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
