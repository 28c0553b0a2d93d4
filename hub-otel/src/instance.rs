//! What a unit of work, an HTTP request or a database call records into: one SDK, its tracer, its meter.
//!
//! Everything works on an `Instance` that is passed or found here; the process-wide one is set by `Telemetry::install`
//! and is only a default. That is what lets tests run side by side in one process.

use crate::boundary::Boundaries;
use crate::contract::SCOPE;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// One SDK, ready to record into.
pub(crate) struct Instance {
    /// Unique in the process: caches of bound instruments are keyed by it.
    pub(crate) id: u64,
    pub(crate) tracer: SdkTracer,
    pub(crate) meter: Meter,
    pub(crate) options: Options,
    /// The instruments of the HTTP and database boundaries, made when first used.
    pub(crate) boundaries: Boundaries,
}

/// What the builder decides for every unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// `false`: a success leaves the span's status unset.
    pub(crate) ok_status: bool,
    /// GenAI attributes on every unit.
    pub(crate) gen_ai: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { ok_status: true, gen_ai: false }
    }
}

impl Instance {
    pub(crate) fn new(traces: &SdkTracerProvider, metrics: &SdkMeterProvider, options: Options) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            tracer: traces.tracer(SCOPE),
            meter: metrics.meter(SCOPE),
            options,
            boundaries: Boundaries::default(),
        })
    }
}

static GLOBAL: OnceLock<Arc<Instance>> = OnceLock::new();

/// The instance that the caller records into: the installed one, if there is one.
pub(crate) fn current() -> Option<&'static Arc<Instance>> {
    GLOBAL.get()
}

/// Makes `instance` the process' own. It can happen once.
///
/// # Errors
/// Gives the instance back when another one was installed before.
pub(crate) fn set_global(instance: Arc<Instance>) -> Result<(), Arc<Instance>> {
    GLOBAL.set(instance)
}
