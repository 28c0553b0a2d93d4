//! Process-wide captures: one at a time, as the default instance and as OpenTelemetry's global
//! providers.

use crate::instance;
use crate::instance::{ContextInstanceGuard, Instance};
use opentelemetry::global;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::thread::ThreadId;

/// Thread that holds the process-wide capture.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);
static RELEASED: Condvar = Condvar::new();

/// The exclusive right to capture the whole process. Released when dropped.
pub(super) struct ProcessWide {
    _search: ContextInstanceGuard,
}

impl ProcessWide {
    /// Waits until no other process-wide capture is left.
    ///
    /// # Panics
    /// If this thread holds it already: it would wait forever.
    pub(super) fn claim() -> Self {
        let this_thread = thread::current().id();
        let mut owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(other) = *owner {
            assert!(other != this_thread, "this thread already holds a process-wide capture");
            owner = RELEASED.wait(owner).unwrap_or_else(PoisonError::into_inner);
        }
        *owner = Some(this_thread);
        Self { _search: ContextInstanceGuard::new() }
    }

    /// Makes `instance` the default of the process, and the providers the global ones.
    pub(super) fn install(
        self,
        instance: &Arc<Instance>,
        traces: &SdkTracerProvider,
        metrics: &SdkMeterProvider,
    ) -> Self {
        instance::set_captured(Some(instance));
        global::set_tracer_provider(traces.clone());
        global::set_meter_provider(metrics.clone());
        self
    }
}

impl Drop for ProcessWide {
    fn drop(&mut self) {
        instance::set_captured(None);
        global::set_tracer_provider(NoopTracerProvider::new());
        global::set_meter_provider(NoopMeterProvider::new());
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = None;
        RELEASED.notify_one();
    }
}
