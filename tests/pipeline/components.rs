//! SDK components of the application, given to the builder: each extension point with an
//! implementation that is not of this library.

mod logs;
mod metrics;
mod otlp_crate;
mod propagators;
mod sampling;
mod spans;

use crate::kit;
use hub_otel::{Exporter, Signal, TelemetryBuilder};
use hub_otel_tests::process::Process;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// A builder without exporters of this library.
fn alone() -> TelemetryBuilder {
    let none: [Exporter; 0] = [];
    kit::builder()
        .exporters(Signal::Traces, none)
        .exporters(Signal::Logs, none)
        .exporters(Signal::Metrics, none)
}

/// A list that a component and its test share.
#[derive(Debug)]
struct Shared<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Shared<T> {
    fn push(&self, item: T) {
        self.0.lock().expect("not poisoned").push(item);
    }

    fn all(&self) -> Vec<T> {
        self.0.lock().expect("not poisoned").clone()
    }
}

/// Runs a case of this module in a child process, with nothing else in its environment. Returns its
/// standard error.
#[track_caller]
fn run(path: &str, variables: &[(&str, &str)]) -> String {
    let mut command: Command = kit::case(&format!("components::{path}"));
    command.env("OTEL_EXPORTER_PROMETHEUS_PORT", "0").envs(variables.iter().copied());
    let mut process = Process::spawn(&mut command);
    let status = process.exit(SOON);
    assert!(status.success(), "{status}\n{}\n{}", process.stdout(), process.stderr());
    process.stderr()
}
