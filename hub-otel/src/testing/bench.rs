//! Installation of given SDK providers, for the benchmarks of this repository.
//!
//! `Telemetry` builds its own providers with its own export pipeline. A benchmark that compares
//! units with other instrumentation has to give all of them the same providers, so that the
//! difference is the cost of the instrumentation alone.

use crate::instance;
use crate::instance::Instance;
use crate::options::{Options, Sampling};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Makes the units of the process record into `traces` and `metrics`.
///
/// With `sampled`, each unit consults the sampler of `traces`. Without, units create no span and
/// record metrics only. There is no export pipeline, no `tracing` subscriber, and the global
/// providers of OpenTelemetry are unchanged.
///
/// # Panics
/// If an instance is installed: an installation cannot be replaced.
pub fn install(traces: &SdkTracerProvider, metrics: &SdkMeterProvider, sampled: bool) {
    let sampling = if sampled { Sampling::Ask } else { Sampling::Off };
    let instance = Instance::new(traces, metrics, Options { sampling, ..Options::default() });
    assert!(instance::set_global(instance).is_ok(), "an instance is already installed");
}
