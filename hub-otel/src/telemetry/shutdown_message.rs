//! The last diagnostic line: complete, or the lost items with the reason and the remedy.

use crate::config::Config;
use crate::config::signal::{Exporter, Signal};
use crate::export::retry::EndpointStates;
use crate::semconv::drop_reason;
use crate::telemetry::report::Report;

/// Returns the message logged at the end of the shutdown.
pub(crate) fn shutdown_message(
    report: &Report,
    config: &Config,
    endpoints: &EndpointStates,
) -> String {
    if report.is_complete() {
        return match report.ended_by_shutdown {
            0 => "Shutdown complete".to_owned(),
            _ => format!("Shutdown complete ({report})"),
        };
    }
    let lost = report.lost();
    let items = if lost == 1 { "item" } else { "items" };
    let unreachable: u64 = Signal::ALL
        .iter()
        .filter_map(|signal| report.signal(*signal).dropped.get(drop_reason::NO_COLLECTOR))
        .sum();
    if unreachable < lost {
        return format!("Shutdown error: {lost} {items} could not be delivered ({report})");
    }
    // Every loss has the same cause, and the remedy is outside the program.
    format!(
        "Shutdown error: {lost} {items} could not be delivered, because no Collector was reachable \
         at {}: start one there, set OTEL_EXPORTER_OTLP_ENDPOINT to the address of yours, or \
         OTEL_SDK_DISABLED=true to run without one ({report})",
        unreachable_endpoints(config, endpoints)
    )
}

/// Returns the endpoints that were never reached, each with its last connection error.
fn unreachable_endpoints(config: &Config, endpoints: &EndpointStates) -> String {
    let mut descriptions: Vec<String> = Signal::ALL
        .iter()
        .copied()
        .filter(|signal| config.exports(*signal, Exporter::Otlp))
        .filter_map(|signal| {
            let endpoint = &config.otlp(signal).endpoint;
            let state = endpoints.get(&endpoint.authority())?;
            let scheme = if endpoint.tls { "https" } else { "http" };
            let url = format!("{scheme}://{}", endpoint.authority());
            (!state.was_reached()).then(|| match state.last_error() {
                error if error.is_empty() => url,
                error => format!("{url} ({error})"),
            })
        })
        .collect();
    descriptions.dedup();
    descriptions.join(" and ")
}
