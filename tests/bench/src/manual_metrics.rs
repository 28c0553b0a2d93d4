//! The eight metrics by hand: with label sets given at each call, and with bound instruments.

use hub_otel::semconv::{Metric, metric};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    BoundCounter, BoundHistogram, Counter, Histogram, Meter, MeterProvider, UpDownCounter,
};
use opentelemetry_sdk::metrics::SdkMeterProvider;

/// The type of the error, as hub-otel names it.
pub const ERROR_TYPE: &str = "hub_otel_bench_work_error";

/// Records the metrics of a unit.
pub trait Metrics {
    fn workflow_started(&self);
    fn workflow_ended(&self, status: &'static str, milliseconds: f64, failed: bool);
    fn agent_ended(&self, status: &'static str, milliseconds: f64, failed: bool);
}

pub struct Instruments {
    workflow_runs: Counter<u64>,
    workflow_errors: Counter<u64>,
    workflow_duration: Histogram<f64>,
    workflows_active: UpDownCounter<i64>,
    agent_runs: Counter<u64>,
    agent_errors: Counter<u64>,
    agent_duration: Histogram<f64>,
}

impl Instruments {
    pub fn new(provider: &SdkMeterProvider) -> Self {
        let meter = provider.meter("hub_otel");
        Self {
            workflow_runs: counter(&meter, &metric::WORKFLOW_RUNS),
            workflow_errors: counter(&meter, &metric::WORKFLOW_ERRORS),
            workflow_duration: histogram(&meter, &metric::WORKFLOW_DURATION),
            workflows_active: meter
                .i64_up_down_counter(metric::WORKFLOWS_ACTIVE.name)
                .with_unit(metric::WORKFLOWS_ACTIVE.unit)
                .with_description(metric::WORKFLOWS_ACTIVE.description)
                .build(),
            agent_runs: counter(&meter, &metric::AGENT_RUNS),
            agent_errors: counter(&meter, &metric::AGENT_ERRORS),
            agent_duration: histogram(&meter, &metric::AGENT_DURATION),
        }
    }

    /// Starts the counters that alerts read at zero, once per label set.
    pub fn declare(&self, workflow: bool) {
        for status in ["SUCCESS", "FAILED", "TIMED_OUT"] {
            if workflow {
                self.workflow_runs.add(0, &run_labels(status));
            } else {
                self.agent_runs.add(0, &agent_labels(status));
            }
        }
    }

    /// Records an agent with an id that is only known at run time.
    pub fn agent_of(&self, id: &str) {
        let labels = [
            KeyValue::new("agent_id", id.to_owned()),
            KeyValue::new("action", "work"),
            KeyValue::new("status", "SUCCESS"),
        ];
        self.agent_runs.add(1, &labels);
        self.agent_duration.record(1.0, &labels);
    }

    /// Binds the instruments to the label sets of the scenario.
    pub fn bind(&self) -> BoundInstruments {
        let statuses = ["SUCCESS", "FAILED"];
        let id = KeyValue::new("workflow_id", "bench");
        let agent = KeyValue::new("agent_id", "bench");
        let error = KeyValue::new("error_type", ERROR_TYPE);
        BoundInstruments {
            workflow_runs: statuses.map(|status| self.workflow_runs.bind(&run_labels(status))),
            workflow_duration: statuses.map(|status| {
                self.workflow_duration.bind(&[id.clone(), KeyValue::new("status", status)])
            }),
            workflow_errors: self.workflow_errors.bind(&[id, error.clone()]),
            workflows_active: self.workflows_active.clone(),
            agent_runs: statuses.map(|status| self.agent_runs.bind(&agent_labels(status))),
            agent_duration: statuses.map(|status| self.agent_duration.bind(&agent_labels(status))),
            agent_errors: self.agent_errors.bind(&[agent, error]),
        }
    }
}

impl Metrics for Instruments {
    fn workflow_started(&self) {
        self.workflows_active.add(1, &[KeyValue::new("workflow_id", "bench")]);
    }

    fn workflow_ended(&self, status: &'static str, milliseconds: f64, failed: bool) {
        let id = || KeyValue::new("workflow_id", "bench");
        self.workflows_active.add(-1, &[id()]);
        self.workflow_runs.add(1, &run_labels(status));
        self.workflow_duration.record(milliseconds, &[id(), KeyValue::new("status", status)]);
        if failed {
            self.workflow_errors.add(1, &[id(), KeyValue::new("error_type", ERROR_TYPE)]);
        }
    }

    fn agent_ended(&self, status: &'static str, milliseconds: f64, failed: bool) {
        let labels = agent_labels(status);
        self.agent_runs.add(1, &labels);
        self.agent_duration.record(milliseconds, &labels);
        if failed {
            let labels =
                [KeyValue::new("agent_id", "bench"), KeyValue::new("error_type", ERROR_TYPE)];
            self.agent_errors.add(1, &labels);
        }
    }
}

/// Instruments that are bound to their label sets. An up-down counter cannot be bound in 0.33.
pub struct BoundInstruments {
    workflow_runs: [BoundCounter<u64>; 2],
    workflow_duration: [BoundHistogram<f64>; 2],
    workflow_errors: BoundCounter<u64>,
    workflows_active: UpDownCounter<i64>,
    agent_runs: [BoundCounter<u64>; 2],
    agent_duration: [BoundHistogram<f64>; 2],
    agent_errors: BoundCounter<u64>,
}

impl Metrics for BoundInstruments {
    fn workflow_started(&self) {
        self.workflows_active.add(1, &[KeyValue::new("workflow_id", "bench")]);
    }

    fn workflow_ended(&self, _: &'static str, milliseconds: f64, failed: bool) {
        self.workflows_active.add(-1, &[KeyValue::new("workflow_id", "bench")]);
        self.workflow_runs[usize::from(failed)].add(1);
        self.workflow_duration[usize::from(failed)].record(milliseconds);
        if failed {
            self.workflow_errors.add(1);
        }
    }

    fn agent_ended(&self, _: &'static str, milliseconds: f64, failed: bool) {
        self.agent_runs[usize::from(failed)].add(1);
        self.agent_duration[usize::from(failed)].record(milliseconds);
        if failed {
            self.agent_errors.add(1);
        }
    }
}

fn run_labels(status: &'static str) -> [KeyValue; 3] {
    [
        KeyValue::new("workflow_id", "bench"),
        KeyValue::new("trigger_type", "manual"),
        KeyValue::new("status", status),
    ]
}

fn agent_labels(status: &'static str) -> [KeyValue; 3] {
    [
        KeyValue::new("agent_id", "bench"),
        KeyValue::new("action", "work"),
        KeyValue::new("status", status),
    ]
}

fn counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    meter
        .u64_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

fn histogram(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    meter
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_boundaries(metric.buckets.to_vec())
        .build()
}
