//! Process and runtime metrics: CPU, memory, threads, file descriptors, uptime, memory limit; how late and how busy the
//! application's runtime is.
//!
//! Read by a sampler on the library's private runtime; the meter's callbacks only read the last sample and never wait.
//! Through our own meter: the instrumentation crates take the global one and report the wrong kinds.

mod lag;
mod limit;
mod sample;

use crate::contract::{attribute as a, kv, metric};
use crate::instance::Instance;
use crate::metrics::build;
use sample::Sample;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::task::JoinHandle;

/// How often the process is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The samplers. Dropping it stops them; the last sample stays.
#[derive(Debug)]
pub(crate) struct Watch {
    tasks: Vec<JoinHandle<()>>,
}

/// Watches this process, and the application's runtime where there is one, until the result is dropped.
pub(crate) fn watch(instance: &Arc<Instance>, application: Option<Handle>, private: &Handle) -> Watch {
    let shared = Arc::new(Mutex::new(Sample::read()));
    register(instance, &shared);
    let mut tasks = vec![private.spawn(keep_sampling(shared))];
    if let Some(application) = application {
        register_runtime(instance, &application.metrics());
        let lag = build::histogram(&instance.meter, &metric::RUNTIME_LAG);
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

async fn keep_sampling(shared: Arc<Mutex<Sample>>) {
    let mut clock = tokio::time::interval(INTERVAL);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let sample = Sample::read();
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = sample;
    }
}

/// What the platform does not tell stays absent, and is never zero.
fn register(instance: &Instance, shared: &Arc<Mutex<Sample>>) {
    let meter = &instance.meter;
    let last = |shared: &Arc<Mutex<Sample>>| {
        let shared = shared.clone();
        move || *shared.lock().unwrap_or_else(PoisonError::into_inner)
    };
    let read = last(shared);
    build::observe_seconds(meter, &metric::PROCESS_CPU_TIME, move |observer| {
        if let Some(cpu) = read().cpu {
            observer.observe(cpu.user, &[kv(a::CPU_MODE, "user")]);
            observer.observe(cpu.system, &[kv(a::CPU_MODE, "system")]);
        }
    });
    let read = last(shared);
    build::observe_level(meter, &metric::PROCESS_MEMORY_USAGE, move || read().memory);
    let read = last(shared);
    build::observe_level(meter, &metric::PROCESS_THREAD_COUNT, move || read().threads);
    let read = last(shared);
    build::observe_level(meter, &metric::PROCESS_FILE_DESCRIPTOR_COUNT, move || read().file_descriptors);
    let started = sample::started();
    build::observe_gauge(meter, &metric::PROCESS_UPTIME, move || Some(started.elapsed().as_secs_f64()));
    let read = last(shared);
    build::observe_bytes(meter, &metric::PROCESS_MEMORY_LIMIT, move || read().memory_limit);
}

fn register_runtime(instance: &Instance, runtime: &RuntimeMetrics) {
    let meter = &instance.meter;
    let count = |value: usize| i64::try_from(value).ok();
    let metrics = runtime.clone();
    build::observe_level(meter, &metric::RUNTIME_WORKERS, move || count(metrics.num_workers()));
    let metrics = runtime.clone();
    build::observe_level(meter, &metric::RUNTIME_TASKS, move || count(metrics.num_alive_tasks()));
    let metrics = runtime.clone();
    build::observe_level(meter, &metric::RUNTIME_QUEUE_DEPTH, move || count(metrics.global_queue_depth()));
    #[cfg(target_has_atomic = "64")]
    {
        let metrics = runtime.clone();
        build::observe_seconds(meter, &metric::RUNTIME_BUSY_TIME, move |observer| {
            let busy: Duration =
                (0..metrics.num_workers()).map(|n| metrics.worker_total_busy_duration(n)).sum();
            observer.observe(busy.as_secs_f64(), &[]);
        });
    }
}
