//! Destination of units, HTTP requests and database calls: one SDK with its tracer and its
//! instruments.
//!
//! Instances are passed explicitly or resolved from an OpenTelemetry context. `Telemetry::install`
//! sets the process-wide default; an instance in the context takes precedence. Tests therefore run
//! side by side in one process.

use crate::backlog::pending::PendingItems;
use crate::extensions::Extensions;
use crate::gen_ai::recorder::GenAiRecorder;
use crate::metrics::UnitMetrics;
use crate::options::Options;
use crate::propagation::custom::CustomPropagators;
use crate::sdk_types::SdkTracer;
#[cfg(feature = "sdk")]
use crate::semconv::library_scope;
use crate::semconv::{attribute, gen_ai};
use crate::unit::open_units::OpenUnits;
use crate::unit::span::{RecordLimits, UnitSpans};
use opentelemetry::Context;
use opentelemetry::metrics::Meter;
#[cfg(feature = "sdk")]
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
#[cfg(feature = "sdk")]
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
#[cfg(feature = "sdk")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// One SDK, ready to record.
pub(crate) struct Instance {
    /// Unique in the process. Key of the label sets that call sites cache.
    pub(crate) id: u64,
    pub(crate) tracer: SdkTracer,
    pub(crate) spans: Arc<dyn UnitSpans>,
    pub(crate) span_limits: RecordLimits,
    pub(crate) meter: Meter,
    pub(crate) options: Options,
    /// Propagators of the application.
    pub(crate) propagators: CustomPropagators,
    /// Values of other modules, such as the instruments of the boundaries, created at first use.
    pub(crate) extensions: Extensions,
    /// Instruments of workflows, agents and approvals.
    pub(crate) units: Arc<UnitMetrics>,
    pub(crate) open_units: Arc<OpenUnits>,
    /// Calls of models and tools.
    pub(crate) gen_ai: Arc<GenAiRecorder>,
    /// Approvals without a decision.
    pub(crate) approvals: Arc<PendingItems>,
    /// Runs that have not started.
    pub(crate) queued_runs: Arc<PendingItems>,
}

/// Keys of run attributes that are carried as baggage, besides [`CARRIED`].
#[derive(Default)]
struct Carried(OnceLock<Box<[String]>>);

/// Keys of run attributes that are always carried to processes that receive the run.
const CARRIED: [&str; 2] = [gen_ai::CONVERSATION_ID, attribute::SESSION_ID];

impl Instance {
    /// Returns whether a run attribute is carried as baggage.
    pub(crate) fn carries(&self, key: &str) -> bool {
        let Carried(more) = self.extensions.get_or_init(Carried::default);
        let is_more = more.get().is_some_and(|keys| keys.iter().any(|carried| carried == key));
        is_more || CARRIED.contains(&key)
    }

    /// Sets the keys of run attributes that are carried as baggage.
    #[cfg(feature = "sdk")]
    pub(crate) fn set_carried(&self, keys: Vec<String>) {
        self.extensions.get_or_init(Carried::default).0.get_or_init(|| keys.into());
    }
}

#[cfg(feature = "sdk")]
impl Instance {
    /// `sdk_reads_units`: readers of the SDK export the metrics of units.
    pub(crate) fn new(
        traces: &SdkTracerProvider,
        spans: Arc<dyn UnitSpans>,
        metrics: &SdkMeterProvider,
        options: Options,
        gen_ai: Arc<GenAiRecorder>,
        propagators: CustomPropagators,
        sdk_reads_units: bool,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let meter = metrics.meter_with_scope(library_scope());
        gen_ai.start(&meter, &options);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            tracer: traces.tracer_with_scope(library_scope()),
            span_limits: spans.limits(),
            spans,
            units: UnitMetrics::new(&meter, options, sdk_reads_units),
            open_units: Arc::default(),
            gen_ai,
            meter,
            options,
            propagators,
            approvals: Arc::new(PendingItems::approvals(options.max_label_sets)),
            queued_runs: Arc::new(PendingItems::queued_runs(options.max_label_sets)),
            extensions: Extensions::default(),
        })
    }
}

/// 1 for the installed instance, plus 2 per [`ContextInstanceGuard`], plus [`ENDED_EARLY`].
///
/// Zero: nothing records, and no context is searched. One: only the installed instance can match.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Flag of [`IN_USE`]: the guard was dropped, and no unit has started since.
const ENDED_EARLY: usize = 1 << (usize::BITS - 1);

/// Instances for contexts without one.
struct DefaultInstances {
    installed: Option<Arc<Instance>>,
    /// Instance of the process-wide capture. Takes precedence.
    #[cfg(feature = "testing")]
    captured: Option<Arc<Instance>>,
}

static DEFAULTS: RwLock<DefaultInstances> = RwLock::new(DefaultInstances {
    installed: None,
    #[cfg(feature = "testing")]
    captured: None,
});

/// Returns whether any instance of this process can record. One atomic load: the whole cost of an
/// unrecorded call.
#[inline]
pub(crate) fn in_use() -> bool {
    cfg!(feature = "enabled") && IN_USE.load(Ordering::Acquire) != 0
}

/// Returns the instance in `context`, else the default one.
#[inline]
pub(crate) fn find(context: &Context) -> Option<Arc<Instance>> {
    find_in_context(context).cloned().or_else(default_instance)
}

/// Returns the instance of the process-wide capture, else the installed one.
#[inline]
fn default_instance() -> Option<Arc<Instance>> {
    let defaults = DEFAULTS.read().unwrap_or_else(PoisonError::into_inner);
    #[cfg(feature = "testing")]
    if let Some(instance) = &defaults.captured {
        return Some(Arc::clone(instance));
    }
    defaults.installed.clone()
}

#[inline]
fn find_in_context(context: &Context) -> Option<&Arc<Instance>> {
    if IN_USE.load(Ordering::Acquire) > 1 {
        context.get::<ContextInstance>().map(|ContextInstance(instance)| instance)
    } else {
        None
    }
}

/// Returns the instance of the current context, else the installed one.
pub(crate) fn current() -> Option<Arc<Instance>> {
    if !in_use() {
        return None;
    }
    Context::map_current(find)
}

/// Returns whether `context` itself contains an instance.
pub(crate) fn has_instance(context: &Context) -> bool {
    find_in_context(context).is_some()
}

/// Adds the instance of `parent` to `context`, unless `context` already contains one.
pub(crate) fn inherit_instance(parent: &Context, context: Context) -> Context {
    match find_in_context(parent) {
        Some(instance) if !has_instance(&context) => with_instance(&context, instance),
        _ => context,
    }
}

/// Returns `context` with `instance` in it.
pub(crate) fn with_instance(context: &Context, instance: &Arc<Instance>) -> Context {
    context.with_value(ContextInstance(Arc::clone(instance)))
}

/// Installs `instance` as the default of the process. One at a time.
///
/// # Errors
/// Returns the instance if another one is installed.
pub(crate) fn set_global(instance: Arc<Instance>) -> Result<(), Arc<Instance>> {
    let mut defaults = DEFAULTS.write().unwrap_or_else(PoisonError::into_inner);
    if defaults.installed.is_some() {
        return Err(instance);
    }
    defaults.installed = Some(instance);
    IN_USE.fetch_and(!ENDED_EARLY, Ordering::AcqRel);
    IN_USE.fetch_add(1, Ordering::AcqRel);
    Ok(())
}

/// Removes `instance` as the default of the process, after its shutdown. No-op if another one is
/// installed.
pub(crate) fn unset_global(instance: &Arc<Instance>) {
    let mut defaults = DEFAULTS.write().unwrap_or_else(PoisonError::into_inner);
    if defaults.installed.as_ref().is_some_and(|installed| Arc::ptr_eq(installed, instance)) {
        defaults.installed = None;
        IN_USE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Makes the next unit report that it is not recorded, because the guard was dropped.
pub(crate) fn expect_no_unit() {
    let defaults = DEFAULTS.read().unwrap_or_else(PoisonError::into_inner);
    if defaults.installed.is_none() {
        IN_USE.fetch_or(ENDED_EARLY, Ordering::AcqRel);
    }
}

/// Returns whether a unit without an instance is the first one after the guard was dropped.
#[cold]
pub(crate) fn take_ended_early() -> bool {
    IN_USE.fetch_and(!ENDED_EARLY, Ordering::AcqRel) & ENDED_EARLY != 0
}

/// Sets or removes the instance of the process-wide capture. The caller holds a
/// [`ContextInstanceGuard`] for as long as it is set.
#[cfg(feature = "testing")]
pub(crate) fn set_captured(instance: Option<&Arc<Instance>>) {
    let mut defaults = DEFAULTS.write().unwrap_or_else(PoisonError::into_inner);
    defaults.captured = instance.cloned();
}

/// Context value. Derived contexts inherit it.
struct ContextInstance(Arc<Instance>);

/// Enables the search of contexts. Required for as long as a context contains an instance.
#[cfg(any(
    feature = "testing",
    feature = "axum",
    feature = "reqwest",
    feature = "tower",
    feature = "sqlx"
))]
#[derive(Debug)]
pub(crate) struct ContextInstanceGuard(());

#[cfg(any(
    feature = "testing",
    feature = "axum",
    feature = "reqwest",
    feature = "tower",
    feature = "sqlx"
))]
impl ContextInstanceGuard {
    pub(crate) fn new() -> Self {
        IN_USE.fetch_add(2, Ordering::AcqRel);
        Self(())
    }
}

#[cfg(any(
    feature = "testing",
    feature = "axum",
    feature = "reqwest",
    feature = "tower",
    feature = "sqlx"
))]
impl Drop for ContextInstanceGuard {
    fn drop(&mut self) {
        IN_USE.fetch_sub(2, Ordering::AcqRel);
    }
}

/// Returns an empty context with `instance` in it: units started there are roots of traces.
#[cfg(feature = "testing")]
pub(crate) fn root_context(instance: &Arc<Instance>) -> Context {
    with_instance(&Context::new(), instance)
}

/// Makes `instance` current on this thread until the guard is dropped.
#[cfg(feature = "testing")]
pub(crate) fn enter(instance: &Arc<Instance>) -> EnteredInstance {
    let search = ContextInstanceGuard::new();
    EnteredInstance { _context: root_context(instance).attach(), _search: search }
}

/// Guard of [`enter`]. The fields are dropped in declaration order: the context is detached first.
#[cfg(feature = "testing")]
pub(crate) struct EnteredInstance {
    _context: opentelemetry::ContextGuard,
    _search: ContextInstanceGuard,
}
