//! Units: one outcome per started call, parents, labels and numbers of annotated functions.

mod approvals;
mod backlog;
mod between_processes;
mod budget;
mod budget_shapes;
mod calls;
mod classification;
mod concurrent;
mod cost;
mod deadlines;
mod declared;
mod error_texts;
mod foreign_code;
mod gen_ai_metrics;
mod gen_ai_names;
mod inert;
mod labels;
mod late_facts;
mod outcomes;
mod parents;
mod races;
mod run_attributes;
mod segments;
mod stream_signatures;
mod streams;
mod tasks;
mod tracing_crate;
mod warnings;

/// Builds telemetry that is scraped and exports nothing else, independent of the environment.
fn scraped(service: &'static str) -> hub_otel::Telemetry {
    use hub_otel::{Exporter, Signal};
    hub_otel::Telemetry::builder()
        .override_service_name(service)
        .env_source(std::iter::empty::<(String, String)>())
        .exporters(Signal::Traces, [])
        .exporters(Signal::Logs, [])
        .exporters(Signal::Metrics, [Exporter::Prometheus])
        .prometheus("127.0.0.1", 0)
        .build()
        .unwrap()
}
