//! `tracing` events as log records: the layer, and the subscriber that is set where there is none.

mod redacting_format;

use crate::config::Config;
use crate::telemetry::subscriber::redacting_format::Redacted;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

/// OpenTelemetry's own events are never exported: they are said on the threads of the program, in the middle of emitting
/// one. What the exporters' other crates (tonic, hyper, …) say is told apart by its thread: telemetry is suppressed on
/// those that export, and the program's own use of the same crates is exported like anything else.
const OPENTELEMETRY: &str = "opentelemetry";

fn filter(directives: &str) -> EnvFilter {
    // Checked when the configuration was read.
    EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// The layer that hands events over to `provider`, filtered by RUST_LOG.
pub(crate) fn layer<S>(
    provider: Option<&SdkLoggerProvider>,
    config: &Config,
) -> Option<Box<dyn Layer<S> + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    #[cfg(feature = "logs")]
    {
        use tracing_subscriber::filter::filter_fn;
        let provider = provider?;
        let bridge =
            opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge::new(provider);
        let others = filter_fn(|metadata| !metadata.target().starts_with(OPENTELEMETRY));
        Some(bridge.with_filter(others).with_filter(filter(&config.log_filter)).boxed())
    }
    #[cfg(not(feature = "logs"))]
    {
        let _ = (provider, config, OPENTELEMETRY);
        None
    }
}

/// Sets a subscriber: readable lines on stderr, and `provider`. `false` where one was set before.
pub(crate) fn set(provider: Option<&SdkLoggerProvider>, config: &Config) -> bool {
    use std::io::IsTerminal;
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(Redacted(config.deny.clone()))
        .with_writer(std::io::stderr)
        .with_ansi(!config.no_color && std::io::stderr().is_terminal())
        .with_filter(filter(&config.log_filter));
    let subscriber = Registry::default().with(layer(provider, config)).with(lines);
    tracing::subscriber::set_global_default(subscriber).is_ok()
}
