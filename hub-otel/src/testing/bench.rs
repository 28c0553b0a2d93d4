//! For this repository's own benchmarks: an SDK that they brought, made the process' own.

use crate::instance;
use crate::instance::Instance;
use crate::options::{Options, Sampling};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Makes units record into these providers. Once per process.
///
/// # Panics
/// When something was installed before.
pub fn install(traces: &SdkTracerProvider, metrics: &SdkMeterProvider, sampled: bool) {
    let sampling = if sampled { Sampling::Ask } else { Sampling::Off };
    let instance = Instance::new(traces, metrics, Options { sampling, ..Options::default() });
    assert!(instance::set_global(instance).is_ok(), "one installation a process");
}
