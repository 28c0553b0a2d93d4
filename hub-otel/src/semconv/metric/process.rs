//! Metrics of the process and of the application's runtime, and of the export.

use crate::semconv::attribute::label as l;
use crate::semconv::metric::definition::{InstrumentKind, Metric, Stability};
use opentelemetry_semantic_conventions::attribute as s;
use opentelemetry_semantic_conventions::metric as m;

/// Semantic conventions, process metrics.
pub const PROCESS_CPU_TIME: Metric = Metric {
    name: m::PROCESS_CPU_TIME,
    kind: InstrumentKind::Counter,
    unit: "s",
    description: "Total CPU seconds broken down by different states.",
    labels: &[s::CPU_MODE],
    buckets: &[],
    prometheus: "process_cpu_time_seconds_total",
    stability: Stability::Stable,
};

/// Semantic conventions, process metrics.
pub const PROCESS_MEMORY_USAGE: Metric = Metric {
    name: m::PROCESS_MEMORY_USAGE,
    kind: InstrumentKind::UpDownCounter,
    unit: "By",
    description: "The amount of physical memory in use.",
    labels: &[],
    buckets: &[],
    prometheus: "process_memory_usage_bytes",
    stability: Stability::Stable,
};

/// Semantic conventions, process metrics.
pub const PROCESS_THREAD_COUNT: Metric = Metric {
    name: m::PROCESS_THREAD_COUNT,
    kind: InstrumentKind::UpDownCounter,
    unit: "{thread}",
    description: "Process threads count.",
    labels: &[],
    buckets: &[],
    prometheus: "process_thread_count",
    stability: Stability::Stable,
};

/// Semantic conventions, process metrics.
pub const PROCESS_FILE_DESCRIPTOR_COUNT: Metric = Metric {
    name: m::PROCESS_UNIX_FILE_DESCRIPTOR_COUNT,
    kind: InstrumentKind::UpDownCounter,
    unit: "{file_descriptor}",
    description: "Number of unix file descriptors in use by the process.",
    labels: &[],
    buckets: &[],
    prometheus: "process_unix_file_descriptor_count",
    stability: Stability::Stable,
};

/// Semantic conventions, process metrics. Recorded without the feature `process` too, because
/// alerts detect by it that a service has stopped; then it counts from the first telemetry.
pub const PROCESS_UPTIME: Metric = Metric {
    name: m::PROCESS_UPTIME,
    kind: InstrumentKind::Gauge,
    unit: "s",
    description: "The time the process has been running.",
    labels: &[],
    buckets: &[],
    prometheus: "process_uptime_seconds",
    stability: Stability::Stable,
};

/// Memory that the process may use before it is killed.
pub const PROCESS_MEMORY_LIMIT: Metric = Metric {
    name: "hub_otel.process.memory.limit",
    kind: InstrumentKind::Gauge,
    unit: "By",
    description: "Memory limit of the process: the cgroup limit, or the physical memory if unlimited.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_process_memory_limit_bytes",
    stability: Stability::Stable,
};

/// Delay with which a timer fires on the application's runtime.
pub const RUNTIME_LAG: Metric = Metric {
    name: "hub_otel.runtime.lag",
    kind: InstrumentKind::Histogram,
    unit: "s",
    description: "Delay with which a timer fires on the application's runtime.",
    labels: &[],
    buckets: &[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0],
    prometheus: "hub_otel_runtime_lag_seconds",
    stability: Stability::Stable,
};

/// Worker threads of the application's runtime.
pub const RUNTIME_WORKERS: Metric = Metric {
    name: "hub_otel.runtime.workers",
    kind: InstrumentKind::UpDownCounter,
    unit: "{worker}",
    description: "Worker threads of the application's runtime.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_workers",
    stability: Stability::Stable,
};

/// Tasks of the application's runtime that have not completed.
pub const RUNTIME_TASKS: Metric = Metric {
    name: "hub_otel.runtime.tasks",
    kind: InstrumentKind::UpDownCounter,
    unit: "{task}",
    description: "Tasks of the application's runtime that have not completed.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_tasks",
    stability: Stability::Stable,
};

/// Tasks in the global queue of the application's runtime.
pub const RUNTIME_QUEUE_DEPTH: Metric = Metric {
    name: "hub_otel.runtime.queue.depth",
    kind: InstrumentKind::UpDownCounter,
    unit: "{task}",
    description: "Tasks in the global queue of the application's runtime.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_queue_depth",
    stability: Stability::Stable,
};

/// Time that the runtime's workers spent running tasks, summed over the workers.
pub const RUNTIME_BUSY_TIME: Metric = Metric {
    name: "hub_otel.runtime.busy_time",
    kind: InstrumentKind::Counter,
    unit: "s",
    description: "Time that the workers of the application's runtime spent running tasks, summed over the workers.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_busy_time_seconds_total",
    stability: Stability::Stable,
};

/// Telemetry items by export result.
pub const EXPORT_ITEMS: Metric = Metric {
    name: "hub_otel.export.items",
    kind: InstrumentKind::Counter,
    unit: "{item}",
    description: "Spans, log records and metric points by export result.",
    labels: &[l::SIGNAL, l::RESULT, l::REASON, l::EXPORTER],
    buckets: &[],
    prometheus: "hub_otel_export_items_total",
    stability: Stability::Stable,
};

/// State of the telemetry of a process, exported a last time at its shutdown.
pub const INSTANCE_UP: Metric = Metric {
    name: "hub_otel.up",
    kind: InstrumentKind::Gauge,
    unit: "{instance}",
    description: "1 while the process records telemetry, 0 in the last export of an orderly shutdown.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_up",
    stability: Stability::Stable,
};
