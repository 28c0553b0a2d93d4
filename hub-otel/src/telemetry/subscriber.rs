//! Export of `tracing` events as log records: the layer, and the default subscriber.

mod redacting_format;

use crate::config::Config;
use crate::telemetry::subscriber::redacting_format::RedactingFields;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

/// The target prefix of the SDK's own events, which are never exported: they occur on application
/// threads while a record is emitted, and would cause the next one.
///
/// Events of the exporters' other dependencies (tonic, hyper) are not filtered by target, because
/// the application may use the same crates. Telemetry is suppressed on the export threads instead.
const OPENTELEMETRY: &str = "opentelemetry";

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
        use tracing_subscriber::filter::filter_fn;
        let provider = provider?;
        let bridge =
            opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge::new(provider);
        let not_opentelemetry = filter_fn(|metadata| !metadata.target().starts_with(OPENTELEMETRY));
        Some(
            bridge
                .with_filter(not_opentelemetry)
                .with_filter(env_filter(&config.log_filter))
                .boxed(),
        )
    }
    #[cfg(not(feature = "logs"))]
    {
        let _ = (provider, config, OPENTELEMETRY);
        None
    }
}

/// Sets the global subscriber: text lines on stderr, and log records by `provider`. Returns `false`
/// if one is set already.
pub(crate) fn set(provider: Option<&SdkLoggerProvider>, config: &Config) -> bool {
    use std::io::IsTerminal;
    let text_layer = tracing_subscriber::fmt::layer()
        .fmt_fields(RedactingFields(config.deny.clone()))
        .with_writer(std::io::stderr)
        .with_ansi(!config.no_color && std::io::stderr().is_terminal())
        .with_filter(env_filter(&config.log_filter));
    let subscriber = Registry::default().with(layer(provider, config)).with(text_layer);
    tracing::subscriber::set_global_default(subscriber).is_ok()
}
