//! Shared by the tests: captured telemetry, a server on a free port, a client that can disconnect.

mod capture;
mod raw;
mod server;
pub(crate) mod snapshot;

pub(crate) use capture::BoundaryCapture;
pub(crate) use raw::Raw;
pub(crate) use server::Server;

use hub_otel::Telemetry;
use hub_otel_tests::scrape::Scrape;

/// Telemetry that is scraped on a free port, and pushes nothing.
pub(crate) fn scraped_telemetry() -> Telemetry {
    Telemetry::builder()
        .default_service_name("boundaries")
        .env_source([
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
        ])
        .prometheus("127.0.0.1", 0)
        .build()
        .unwrap()
}

/// Scrapes the telemetry.
pub(crate) fn scrape(telemetry: &Telemetry) -> Scrape {
    Scrape::of(format!("http://{}/metrics", telemetry.metrics_addr().unwrap()))
}

/// A panic that the panic hook does not print.
pub(crate) fn panic_quietly() {
    std::panic::resume_unwind(Box::new("on purpose"))
}
