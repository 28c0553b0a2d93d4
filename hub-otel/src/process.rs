//! Process and runtime metrics: CPU, memory, threads, file descriptors, uptime, memory limit; how late and how busy the
//! application's runtime is.
//!
//! Read by a sampler on the library's private runtime; the meter's callbacks only read the last sample and never wait.
//! Through our own meter: the instrumentation crates take the global one and report the wrong kinds.

mod lag;
mod limit;
mod sample;

use crate::instance::Instance;
use crate::metrics::instruments::{self, observe_if_some};
use crate::process::sample::Sample;
use crate::semconv::{attribute as a, kv, metric};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::runtime::RuntimeMetrics;
use tokio::task::JoinHandle;

/// How often the process is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The samplers. Dropping it stops them; the last sample stays.
#[derive(Debug)]
pub(crate) struct Watch {
    tasks: Vec<JoinHandle<()>>,
}

/// Watches this process, and the application's runtime where there is one, until the result is dropped.
///
/// Called again for a runtime that was made later: the process itself is registered once per instance.
pub(crate) fn watch(
    instance: &Arc<Instance>,
    application: Option<Handle>,
    private: &Handle,
) -> Watch {
    let mut tasks = Vec::new();
    let watched = instance.extensions.get_or_init(|| {
        let watched = Arc::new(Watched::default());
        *watched.sample.lock().unwrap_or_else(PoisonError::into_inner) = Sample::read();
        register(instance, &watched);
        register_runtimes(instance, &watched);
        tasks.push(private.spawn(keep_sampling(watched.clone())));
        watched
    });
    if let Some(application) = application {
        watched.runtimes.lock().unwrap_or_else(PoisonError::into_inner).push(application.metrics());
        let lag = instruments::build_histogram(&instance.meter, &metric::RUNTIME_LAG);
        tasks.push(private.spawn(lag::keep_measuring(lag, application)));
    }
    Watch { tasks }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What the callbacks read: they never wait for anything but each other.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    sample: Mutex<Sample>,
    runtimes: Mutex<Vec<RuntimeMetrics>>,
}

impl Watched {
    fn last(&self) -> Sample {
        *self.sample.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Summed over the runtimes; absent where none is watched.
    fn runtimes(&self, of: impl Fn(&RuntimeMetrics) -> usize) -> Option<i64> {
        let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        (!runtimes.is_empty())
            .then(|| i64::try_from(runtimes.iter().map(of).sum::<usize>()).ok())?
    }
}

async fn keep_sampling(watched: Arc<Watched>) {
    let mut clock = tokio::time::interval(INTERVAL);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let sample = Sample::read();
        *watched.sample.lock().unwrap_or_else(PoisonError::into_inner) = sample;
    }
}

/// What the platform does not tell stays absent, and is never zero.
fn register(instance: &Instance, watched: &Arc<Watched>) {
    let meter = &instance.meter;
    let read = watched.clone();
    instruments::observe_f64_counter(meter, &metric::PROCESS_CPU_TIME, move |observer| {
        if let Some(cpu) = read.last().cpu {
            observer.observe(cpu.user, &[kv(a::CPU_MODE, "user")]);
            observer.observe(cpu.system, &[kv(a::CPU_MODE, "system")]);
        }
    });
    let read = watched.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::PROCESS_MEMORY_USAGE,
        observe_if_some(move || read.last().memory),
    );
    let read = watched.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::PROCESS_THREAD_COUNT,
        observe_if_some(move || read.last().threads),
    );
    let read = watched.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::PROCESS_FILE_DESCRIPTOR_COUNT,
        observe_if_some(move || read.last().file_descriptors),
    );
    let started = sample::started();
    instruments::observe_f64_gauge(
        meter,
        &metric::PROCESS_UPTIME,
        observe_if_some(move || Some(started.elapsed().as_secs_f64())),
    );
    let read = watched.clone();
    instruments::observe_u64_gauge(
        meter,
        &metric::PROCESS_MEMORY_LIMIT,
        observe_if_some(move || read.last().memory_limit),
    );
}

fn register_runtimes(instance: &Instance, watched: &Arc<Watched>) {
    let meter = &instance.meter;
    let read = watched.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::RUNTIME_WORKERS,
        observe_if_some(move || read.runtimes(RuntimeMetrics::num_workers)),
    );
    let read = watched.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::RUNTIME_TASKS,
        observe_if_some(move || read.runtimes(RuntimeMetrics::num_alive_tasks)),
    );
    let read = watched.clone();
    instruments::observe_i64_up_down_counter(
        meter,
        &metric::RUNTIME_QUEUE_DEPTH,
        observe_if_some(move || read.runtimes(RuntimeMetrics::global_queue_depth)),
    );
    #[cfg(target_has_atomic = "64")]
    {
        let read = watched.clone();
        instruments::observe_f64_counter(meter, &metric::RUNTIME_BUSY_TIME, move |observer| {
            let runtimes = read.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
            if runtimes.is_empty() {
                return;
            }
            let busy = |runtime: &RuntimeMetrics| -> Duration {
                (0..runtime.num_workers())
                    .map(|worker| runtime.worker_total_busy_duration(worker))
                    .sum()
            };
            observer.observe(runtimes.iter().map(busy).sum::<Duration>().as_secs_f64(), &[]);
        });
    }
}
