//! Process and runtime metrics: CPU, memory, threads, file descriptors, uptime and memory limit of
//! the process; lag and load of the application's tokio runtime.
//!
//! A task on the library's own runtime takes a sample every second. The callbacks of the meter read
//! the last sample and never block.
//!
//! Not an instrumentation crate: those use the global meter provider, and report some of the
//! metrics with another instrument than the conventions require.

mod lag;
mod memory_limit;
mod sample;

use crate::instance::Instance;
use crate::metrics::instruments::{self, observe_if_some};
use crate::process::sample::Sample;
pub(crate) use crate::process::sample::process_start;
use crate::semconv::value::cpu_mode;
use crate::semconv::{attribute as a, kv, metric};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::runtime::RuntimeMetrics;
use tokio::task::JoinHandle;

/// The time between two samples.
const INTERVAL: Duration = Duration::from_secs(1);

/// The tasks that take samples. Dropping it stops them; the last sample is kept.
#[derive(Debug)]
pub(crate) struct Sampler {
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Starts to sample this process, and the runtime of the application if there is one.
///
/// Can be called again for a runtime that is created later. The process is sampled once per
/// instance.
pub(crate) fn start_sampler(
    instance: &Arc<Instance>,
    application: Option<Handle>,
    own_runtime: &Handle,
) -> Sampler {
    let mut tasks = Vec::new();
    let samples = instance.extensions.get_or_init(|| {
        let samples = Arc::new(Samples::default());
        *samples.process() = Sample::read();
        register_process(instance, &samples);
        register_runtimes(instance, &samples);
        tasks.push(own_runtime.spawn(sample_repeatedly(samples.clone())));
        samples
    });
    if let Some(application) = application {
        samples.runtimes().push(application.metrics());
        let lag = instruments::build_histogram(&instance.meter, &metric::RUNTIME_LAG);
        tasks.push(own_runtime.spawn(lag::measure_repeatedly(lag, application)));
    }
    Sampler { tasks }
}

/// The last sample of the process, and the runtimes to read.
#[derive(Debug, Default)]
struct Samples {
    process: Mutex<Sample>,
    runtimes: Mutex<Vec<RuntimeMetrics>>,
}

impl Samples {
    fn process(&self) -> MutexGuard<'_, Sample> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtimes(&self) -> MutexGuard<'_, Vec<RuntimeMetrics>> {
        self.runtimes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the sum over the runtimes; `None` if there are none.
    fn sum_of(&self, value: impl Fn(&RuntimeMetrics) -> usize) -> Option<i64> {
        let runtimes = self.runtimes();
        if runtimes.is_empty() {
            return None;
        }
        i64::try_from(runtimes.iter().map(value).sum::<usize>()).ok()
    }
}

async fn sample_repeatedly(samples: Arc<Samples>) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let sample = Sample::read();
        *samples.process() = sample;
    }
}

/// Registers the metrics of the process. A value that the platform does not provide is absent, not
/// zero.
fn register_process(instance: &Instance, samples: &Arc<Samples>) {
    let meter = &instance.meter;
    let read = samples.clone();
    instruments::observe_f64_counter(meter, &metric::PROCESS_CPU_TIME, move |observer| {
        let cpu = read.process().cpu;
        if let Some(cpu) = cpu {
            observer.observe(cpu.user, &[kv(a::CPU_MODE, cpu_mode::USER)]);
            observer.observe(cpu.system, &[kv(a::CPU_MODE, cpu_mode::SYSTEM)]);
        }
    });
    let read = samples.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::PROCESS_MEMORY_USAGE,
        observe_if_some(move || read.process().memory),
    );
    let read = samples.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::PROCESS_THREAD_COUNT,
        observe_if_some(move || read.process().threads),
    );
    let read = samples.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::PROCESS_FILE_DESCRIPTOR_COUNT,
        observe_if_some(move || read.process().file_descriptors),
    );
    let read = samples.clone();
    instruments::observe_u64_gauge(
        meter,
        &metric::PROCESS_MEMORY_LIMIT,
        observe_if_some(move || read.process().memory_limit),
    );
}

/// Registers the metrics of the runtimes, which tokio provides without a sample.
fn register_runtimes(instance: &Instance, samples: &Arc<Samples>) {
    let meter = &instance.meter;
    let read = samples.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::RUNTIME_WORKERS,
        observe_if_some(move || read.sum_of(RuntimeMetrics::num_workers)),
    );
    let read = samples.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::RUNTIME_TASKS,
        observe_if_some(move || read.sum_of(RuntimeMetrics::num_alive_tasks)),
    );
    let read = samples.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::RUNTIME_QUEUE_DEPTH,
        observe_if_some(move || read.sum_of(RuntimeMetrics::global_queue_depth)),
    );
    // tokio has busy times only on platforms with 64-bit atomics.
    #[cfg(target_has_atomic = "64")]
    {
        let read = samples.clone();
        instruments::observe_f64_counter(meter, &metric::RUNTIME_BUSY_TIME, move |observer| {
            let runtimes = read.runtimes();
            if runtimes.is_empty() {
                return;
            }
            let busy_time = |runtime: &RuntimeMetrics| -> Duration {
                let workers = 0..runtime.num_workers();
                workers.map(|worker| runtime.worker_total_busy_duration(worker)).sum()
            };
            observer.observe(runtimes.iter().map(busy_time).sum::<Duration>().as_secs_f64(), &[]);
        });
    }
}
