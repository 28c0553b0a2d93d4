//! The meters of the application: those of the SDK, with callbacks that cannot disturb a
//! collection.

use crate::export::metrics::observers::Observers;
use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::AsyncInstrumentBuilder;
use opentelemetry::metrics::Counter;
use opentelemetry::metrics::Gauge;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::HistogramBuilder;
use opentelemetry::metrics::InstrumentBuilder;
use opentelemetry::metrics::InstrumentProvider;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::ObservableCounter;
use opentelemetry::metrics::ObservableGauge;
use opentelemetry::metrics::ObservableUpDownCounter;
use opentelemetry::metrics::UpDownCounter;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use std::fmt;
use std::sync::Arc;

/// The provider of meters that [`otel::meter_provider`](crate::otel::meter_provider) returns.
///
/// Its meters are those of the SDK. The callbacks of observable instruments run on a separate
/// thread: one that panics or does not return loses its own metric, and nothing else.
///
/// ```
/// use hub_otel::otel::opentelemetry::metrics::MeterProvider;
///
/// fn observe_queue(telemetry: &hub_otel::Telemetry) {
///     let meter = hub_otel::otel::meter_provider(telemetry).meter("jobs");
///     meter.u64_observable_gauge("jobs.waiting").with_callback(|gauge| gauge.observe(3, &[])).build();
/// }
/// ```
#[derive(Clone)]
pub struct IsolatedMeterProvider {
    provider: SdkMeterProvider,
    observers: Arc<Observers>,
}

impl fmt::Debug for IsolatedMeterProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsolatedMeterProvider").finish_non_exhaustive()
    }
}

impl IsolatedMeterProvider {
    pub(crate) fn new(provider: SdkMeterProvider, observers: Arc<Observers>) -> Self {
        Self { provider, observers }
    }
}

impl MeterProvider for IsolatedMeterProvider {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        let meter = self.provider.meter_with_scope(scope);
        Meter::new(Arc::new(IsolatedInstruments { meter, observers: Arc::clone(&self.observers) }))
    }
}

struct IsolatedInstruments {
    meter: Meter,
    observers: Arc<Observers>,
}

/// Copies unit and description, and builds the instrument.
macro_rules! build {
    ($builder:expr, $original:expr) => {{
        let (mut builder, original) = ($builder, $original);
        builder.unit = original.unit;
        builder.description = original.description;
        builder.build()
    }};
}

macro_rules! synchronous {
    ($($method:ident -> $instrument:ty;)+) => {
        $(
            fn $method(&self, original: InstrumentBuilder<'_, $instrument>) -> $instrument {
                build!(self.meter.$method(original.name.clone()), original)
            }
        )+
    };
}

macro_rules! histogram {
    ($($method:ident -> $number:ty;)+) => {
        $(
            fn $method(
                &self,
                original: HistogramBuilder<'_, Histogram<$number>>,
            ) -> Histogram<$number> {
                let mut builder = self.meter.$method(original.name.clone());
                builder.boundaries.clone_from(&original.boundaries);
                build!(builder, original)
            }
        )+
    };
}

macro_rules! observable {
    ($($method:ident -> $instrument:ident<$number:ty>;)+) => {
        $(
            fn $method(
                &self,
                mut original: AsyncInstrumentBuilder<'_, $instrument<$number>, $number>,
            ) -> $instrument<$number> {
                let mut builder = self.meter.$method(original.name.clone());
                for callback in original.callbacks.drain(..) {
                    let observer = self.observers.add(&original.name, callback);
                    builder = builder.with_callback(move |instrument| observer.repeat(instrument));
                }
                build!(builder, original)
            }
        )+
    };
}

#[expect(clippy::disallowed_methods, reason = "passes the instruments of the application on")]
impl InstrumentProvider for IsolatedInstruments {
    synchronous! {
        u64_counter -> Counter<u64>;
        f64_counter -> Counter<f64>;
        i64_up_down_counter -> UpDownCounter<i64>;
        f64_up_down_counter -> UpDownCounter<f64>;
        u64_gauge -> Gauge<u64>;
        i64_gauge -> Gauge<i64>;
        f64_gauge -> Gauge<f64>;
    }
    histogram! {
        u64_histogram -> u64;
        f64_histogram -> f64;
    }
    observable! {
        u64_observable_counter -> ObservableCounter<u64>;
        f64_observable_counter -> ObservableCounter<f64>;
        i64_observable_up_down_counter -> ObservableUpDownCounter<i64>;
        f64_observable_up_down_counter -> ObservableUpDownCounter<f64>;
        u64_observable_gauge -> ObservableGauge<u64>;
        i64_observable_gauge -> ObservableGauge<i64>;
        f64_observable_gauge -> ObservableGauge<f64>;
    }
}
