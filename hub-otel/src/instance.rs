//! What a unit of work, an HTTP request or a database call records into: one SDK, its tracer, its instruments.
//!
//! Everything works on an `Instance` that is passed or found here. The process-wide one is set by `Telemetry::install`
//! and is only a default: an instance that travels in the OpenTelemetry context comes first. That is what lets tests
//! run side by side in one process.

#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx", feature = "process"))]
use crate::instrumentation::Boundaries;
use crate::metrics::Units;
use crate::options::Options;
use crate::semconv::SCOPE;
use opentelemetry::Context;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracer;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// One SDK, ready to record into.
pub(crate) struct Instance {
    /// Unique in the process: caches of bound instruments are keyed by it.
    pub(crate) id: u64,
    pub(crate) tracer: SdkTracer,
    pub(crate) meter: Meter,
    pub(crate) options: Options,
    /// The instruments of the HTTP and database boundaries, made when first used.
    #[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx", feature = "process"))]
    pub(crate) boundaries: Boundaries,
    /// The instruments of workflows, agents and approvals.
    pub(crate) units: Arc<Units>,
}

impl Instance {
    pub(crate) fn new(
        traces: &SdkTracerProvider,
        metrics: &SdkMeterProvider,
        options: Options,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let meter = metrics.meter(SCOPE);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            tracer: traces.tracer(SCOPE),
            units: Units::new(&meter, options),
            meter,
            options,
            #[cfg(any(
                feature = "axum",
                feature = "reqwest",
                feature = "sqlx",
                feature = "process"
            ))]
            boundaries: Boundaries::default(),
        })
    }
}

/// 1 for an installed instance, 2 for each that travels in contexts. Zero: nothing records, and nobody looks further.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static GLOBAL: OnceLock<Arc<Instance>> = OnceLock::new();

/// Whether anything in this process records: one atomic load, the whole cost of a call that is not recorded.
#[inline]
pub(crate) fn in_use() -> bool {
    cfg!(feature = "enabled") && IN_USE.load(Ordering::Acquire) != 0
}

/// The instance that `context` leads to: the one that travels in it, else the installed one.
pub(crate) fn of(context: &Context) -> Option<Arc<Instance>> {
    find(context).map(Arc::clone)
}

/// The same, borrowed.
#[inline]
pub(crate) fn find(context: &Context) -> Option<&Arc<Instance>> {
    if IN_USE.load(Ordering::Acquire) > 1
        && let Some(Travelling(instance)) = context.get::<Travelling>()
    {
        return Some(instance);
    }
    GLOBAL.get()
}

/// Whether `context` leads to an instance of its own.
pub(crate) fn travels_in(context: &Context) -> bool {
    IN_USE.load(Ordering::Acquire) > 1 && context.get::<Travelling>().is_some()
}

/// `context`, and in it the instance that travels in `from`, unless it has one of its own.
pub(crate) fn carry(from: &Context, context: Context) -> Context {
    if IN_USE.load(Ordering::Acquire) > 1
        && context.get::<Travelling>().is_none()
        && let Some(travelling) = from.get::<Travelling>()
    {
        return context.with_value(travelling.clone());
    }
    context
}

/// The instance that the caller records into.
pub(crate) fn current() -> Option<Arc<Instance>> {
    if !in_use() {
        return None;
    }
    Context::map_current(of)
}

/// Makes `instance` the process' own. It can happen once.
///
/// # Errors
/// Gives the instance back when another one was installed before.
pub(crate) fn set_global(instance: Arc<Instance>) -> Result<(), Arc<Instance>> {
    GLOBAL.set(instance)?;
    IN_USE.fetch_add(1, Ordering::AcqRel);
    Ok(())
}

/// An instance in an OpenTelemetry context, inherited by every context that is made from it.
#[derive(Clone)]
struct Travelling(Arc<Instance>);

/// Keeps the lookup in contexts switched on. Held by whoever puts an instance into a context.
#[cfg(any(feature = "testing", feature = "axum", feature = "reqwest", feature = "sqlx"))]
#[derive(Debug)]
pub(crate) struct Travel(());

#[cfg(any(feature = "testing", feature = "axum", feature = "reqwest", feature = "sqlx"))]
impl Travel {
    pub(crate) fn begin() -> Self {
        IN_USE.fetch_add(2, Ordering::AcqRel);
        Self(())
    }
}

#[cfg(any(feature = "testing", feature = "axum", feature = "reqwest", feature = "sqlx"))]
impl Drop for Travel {
    fn drop(&mut self) {
        IN_USE.fetch_sub(2, Ordering::AcqRel);
    }
}

/// The current context with `instance` in it, and without a span: what is recorded there starts a trace of its own.
#[cfg(feature = "testing")]
pub(crate) fn context_of(instance: &Arc<Instance>) -> Context {
    Context::new().with_value(Travelling(Arc::clone(instance)))
}

/// `context` with `instance` in it: what is recorded below goes there.
#[cfg(feature = "axum")]
pub(crate) fn carried(context: &Context, instance: &Arc<Instance>) -> Context {
    context.with_value(Travelling(Arc::clone(instance)))
}

/// Records into `instance` on this thread until the guard is dropped.
#[cfg(feature = "testing")]
pub(crate) fn enter(instance: &Arc<Instance>) -> Entered {
    let travel = Travel::begin();
    Entered { _context: context_of(instance).attach(), _travel: travel }
}

/// The guard of [`enter`]. Fields are dropped in this order.
#[cfg(feature = "testing")]
pub(crate) struct Entered {
    _context: opentelemetry::ContextGuard,
    _travel: Travel,
}
