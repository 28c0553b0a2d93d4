//! The last line: that everything was delivered, or what was not, why, and what to do about it.

use crate::config::{Config, Exporter, Signal};
use crate::export::accounting::reason;
use crate::export::retry::Peer;
use crate::telemetry::report::Report;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The Collectors of an instance, by `host:port`.
pub(crate) type Peers = BTreeMap<String, Arc<Peer>>;

/// What is said at the end of the shutdown.
pub(crate) fn words(report: &Report, config: &Config, peers: &Peers) -> String {
    if report.is_complete() {
        return "Shutdown complete".to_owned();
    }
    let lost = report.lost();
    let items = if lost == 1 { "item" } else { "items" };
    let absent: u64 = Signal::ALL
        .iter()
        .filter_map(|signal| report.signal(*signal).dropped.get(reason::NO_COLLECTOR))
        .sum();
    if absent < lost {
        return format!("Shutdown error: {lost} {items} could not be delivered ({report})");
    }
    // Nothing is wrong with the program: nobody was there to listen.
    format!(
        "Shutdown error: {lost} {items} could not be delivered, because no Collector answered at {}: start one there, \
         set OTEL_EXPORTER_OTLP_ENDPOINT to where yours listens, or OTEL_SDK_DISABLED=true to run without ({report})",
        places(config, peers)
    )
}

/// Where nobody answered, and what the system said of it.
fn places(config: &Config, peers: &Peers) -> String {
    let mut places: Vec<String> = Signal::ALL
        .iter()
        .copied()
        .filter(|signal| config.sends(*signal, Exporter::Otlp))
        .filter_map(|signal| {
            let endpoint = &config.otlp(signal).endpoint;
            let peer = peers.get(&endpoint.authority())?;
            let scheme = if endpoint.tls { "https" } else { "http" };
            let place = format!("{scheme}://{}", endpoint.authority());
            (!peer.answered()).then(|| match peer.absence() {
                absence if absence.is_empty() => place,
                absence => format!("{place} ({absence})"),
            })
        })
        .collect();
    places.dedup();
    places.join(" and ")
}
