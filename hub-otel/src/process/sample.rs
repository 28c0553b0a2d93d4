//! One sample of the process.

use crate::process::memory_limit;
use std::sync::OnceLock;
use std::time::Instant;

/// CPU time in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpu {
    pub(super) user: f64,
    pub(super) system: f64,
}

/// The values at one time. `None` if the platform does not provide the value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) cpu: Option<Cpu>,
    /// Resident set size in bytes.
    pub(super) memory: Option<i64>,
    pub(super) threads: Option<i64>,
    pub(super) file_descriptors: Option<i64>,
    pub(super) memory_limit: Option<u64>,
}

impl Sample {
    #[cfg(target_os = "linux")]
    pub(super) fn read() -> Self {
        let mut sample = Self { memory_limit: memory_limit::read(), ..Self::default() };
        let Ok(process) = procfs::process::Process::myself() else { return sample };
        if let Ok(stat) = process.stat() {
            let ticks = procfs::ticks_per_second() as f64;
            sample.cpu =
                Some(Cpu { user: stat.utime as f64 / ticks, system: stat.stime as f64 / ticks });
            sample.memory = i64::try_from(stat.rss.saturating_mul(procfs::page_size())).ok();
            sample.threads = Some(stat.num_threads);
        }
        sample.file_descriptors =
            process.fd_count().ok().and_then(|count| i64::try_from(count).ok());
        sample
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn read() -> Self {
        Self { memory_limit: memory_limit::read(), ..Self::default() }
    }
}

/// Returns the start time of the process; the time of the first call if the platform does not
/// provide it.
pub(crate) fn process_start() -> Instant {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    *STARTED.get_or_init(|| {
        let now = Instant::now();
        age().and_then(|age| now.checked_sub(age)).unwrap_or(now)
    })
}

#[cfg(target_os = "linux")]
fn age() -> Option<std::time::Duration> {
    let stat = procfs::process::Process::myself().ok()?.stat().ok()?;
    let started = stat.starttime as f64 / procfs::ticks_per_second() as f64;
    let up = procfs::Current::current().map(|up: procfs::Uptime| up.uptime).ok()?;
    std::time::Duration::try_from_secs_f64(up - started).ok()
}

#[cfg(not(target_os = "linux"))]
fn age() -> Option<std::time::Duration> {
    None
}
