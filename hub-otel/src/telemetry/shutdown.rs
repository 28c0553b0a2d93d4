//! The shutdown of one instance: all signals concurrently, one deadline, exactly once.

use crate::export::pipeline::Pipeline;
use crate::export::runtime::ExportPhase;
use crate::export::stderr;
use crate::instance;
use crate::semconv::drop_reason;
use crate::telemetry::default_action::DefaultActionGuard;
use crate::telemetry::report::Report;
use crate::telemetry::shutdown_message::shutdown_message;
use crate::timer::Delay;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio::time::timeout_at;
use tracing::Level;

/// The time that a caller waits for the export thread beyond the deadline.
pub(crate) const GRACE: Duration = Duration::from_millis(200);
/// The shutdown ends the open units if none has ended by itself for this time. Tasks that the
/// program aborted right before end within it.
const SETTLE_TIME: Duration = Duration::from_millis(100);
/// The interval between two checks of the open units, or of the writer of stderr.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// The time that the shutdown waits for the last lines on stderr.
const FLUSH_TIME: Duration = Duration::from_millis(100);

/// The pipeline of one instance with the state of its shutdown.
pub(crate) struct ShutdownHandle {
    pub(crate) pipeline: Pipeline,
    /// The result, once the shutdown is complete.
    result: Mutex<Option<Report>>,
    completed: Notify,
    completed_blocking: Condvar,
    /// Set for the installed instance, which logs the shutdown message.
    pub(crate) is_installed: AtomicBool,
    /// Set by [`otel::tracing_layer`](crate::otel::tracing_layer) and
    /// [`otel::log_layer`](crate::otel::log_layer): the application exports its log records.
    pub(crate) has_layer: AtomicBool,
    /// Set while signals shut the instance down (`shutdown_on_signal`).
    default_action_guard: Mutex<Option<DefaultActionGuard>>,
    /// The samplers of the process metrics. Stopped on drop.
    #[cfg(feature = "process")]
    pub(crate) process_samplers: Mutex<Vec<crate::process::Sampler>>,
}

impl ShutdownHandle {
    pub(crate) fn new(pipeline: Pipeline) -> Arc<Self> {
        #[cfg(feature = "process")]
        let process_samplers = {
            let application = tokio::runtime::Handle::try_current().ok();
            let runtime = pipeline.runtime.handle();
            Mutex::new(vec![crate::process::start_sampler(
                &pipeline.instance,
                application,
                runtime,
            )])
        };
        Arc::new(Self {
            pipeline,
            result: Mutex::default(),
            completed: Notify::new(),
            completed_blocking: Condvar::new(),
            is_installed: AtomicBool::new(false),
            has_layer: AtomicBool::new(false),
            default_action_guard: Mutex::default(),
            #[cfg(feature = "process")]
            process_samplers,
        })
    }

    /// Suspends the default action of SIGTERM and SIGINT until the shutdown is complete.
    pub(crate) fn suspend_default_action(&self, guard: DefaultActionGuard) {
        *self.default_action_guard.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }

    /// Gives SIGTERM and SIGINT their default action back.
    pub(crate) fn restore_default_action(&self) {
        self.default_action_guard.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Starts the shutdown. Later calls have no effect.
    pub(crate) fn begin(self: &Arc<Self>, limit: Duration) {
        if self.pipeline.runtime.is_orphaned() {
            return;
        }
        let Some(mut tasks) =
            self.pipeline.tasks.lock().unwrap_or_else(PoisonError::into_inner).take()
        else {
            return;
        };
        let began = Instant::now();
        let since = tokio::time::Instant::from_std(began);
        let deadline = since + limit;
        let handle = Arc::clone(self);
        let completion = Completion { handle: Arc::clone(self), began, report: None };
        self.pipeline.runtime.handle().spawn(async move {
            let mut completion = completion;
            handle.end_open_units(since + limit / 2).await;
            handle.pipeline.close_queues();
            handle.pipeline.phase.send_replace(ExportPhase::Draining { since, deadline });
            // Each task keeps the deadline itself. This one limits a task that does not.
            let _ = timeout_at(deadline + GRACE / 2, async {
                while tasks.join_next().await.is_some() {}
            })
            .await;
            handle.pipeline.stop_servers().await;
            completion.conclude();
            let _ = timeout(FLUSH_TIME, async {
                while !stderr::is_flushed() {
                    sleep(POLL_INTERVAL).await;
                }
            })
            .await;
        });
    }

    /// Ends the units that are still open, until `deadline` at most.
    async fn end_open_units(&self, deadline: tokio::time::Instant) {
        let open_units = &self.pipeline.instance.open_units;
        let mut open = open_units.count();
        let mut last_end = tokio::time::Instant::now();
        while open > 0 && last_end.elapsed() < SETTLE_TIME {
            if timeout_at(deadline, sleep(POLL_INTERVAL)).await.is_err() {
                break;
            }
            let now_open = open_units.count();
            if now_open < open {
                last_end = tokio::time::Instant::now();
            }
            open = now_open;
        }
        if open == 0 {
            return;
        }
        // On a separate thread: a subscriber of the application receives the last log records, and
        // may block.
        let (ended, all_ended) = oneshot::channel::<()>();
        let instance = Arc::clone(&self.pipeline.instance);
        let spawned =
            std::thread::Builder::new().name("hub-otel-end".to_owned()).spawn(move || {
                instance.open_units.end_all();
                drop(ended);
            });
        if spawned.is_err() {
            open_units.end_all();
        }
        let _ = timeout_at(deadline, all_ended).await;
    }

    /// Waits for the completion, on any async runtime and without one.
    pub(crate) async fn wait(&self, limit: Duration) -> Report {
        let mut deadline = Delay::after(limit + GRACE + FLUSH_TIME);
        loop {
            // Created before the check: a completion in between is not missed.
            let completed = self.completed.notified();
            if let Some(report) = self.result() {
                return report;
            }
            tokio::select! {
                () = completed => {}
                () = &mut deadline => return self.give_up(limit),
            }
        }
    }

    /// Returns the result, if the shutdown is complete. Empty in a forked child, which has no
    /// export thread to wait for.
    fn result(&self) -> Option<Report> {
        if self.pipeline.runtime.is_orphaned() {
            return Some(Report::default());
        }
        self.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the completion and blocks the calling thread.
    pub(crate) fn wait_blocking(&self, limit: Duration) -> Report {
        if self.pipeline.runtime.is_orphaned() {
            return Report::default();
        }
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, _) = self
            .completed_blocking
            .wait_timeout_while(result, limit + GRACE + FLUSH_TIME, |result| result.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = &*result {
            return report.clone();
        }
        drop(result);
        self.give_up(limit)
    }

    /// The export thread did not run in time: its pending items count as dropped.
    fn give_up(&self, limit: Duration) -> Report {
        self.pipeline.close_accounting(drop_reason::SHUTDOWN_DEADLINE);
        self.pipeline.report(limit)
    }
}

/// Completes the shutdown on drop, even if its task panics: no caller may wait forever.
struct Completion {
    handle: Arc<ShutdownHandle>,
    began: Instant,
    report: Option<Report>,
}

impl Completion {
    /// Closes the books and logs the shutdown message.
    fn conclude(&mut self) {
        let pipeline = &self.handle.pipeline;
        pipeline.close_accounting(drop_reason::SHUTDOWN_DEADLINE);
        let report = pipeline.report(self.began.elapsed());
        // An instance that is not installed is one of several: only its report is returned.
        if self.handle.is_installed.load(Ordering::SeqCst) {
            let level = if report.is_complete() { Level::INFO } else { Level::ERROR };
            let message = shutdown_message(&report, &pipeline.config, &pipeline.endpoints);
            pipeline.diagnostics.log_at(level, &message);
        }
        self.report = Some(report);
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if self.report.is_none() {
            self.conclude();
        }
        let handle = &self.handle;
        // Another instance can be installed from now on.
        instance::unset_global(&handle.pipeline.instance);
        handle.restore_default_action();
        *handle.result.lock().unwrap_or_else(PoisonError::into_inner) = self.report.take();
        handle.completed.notify_waiters();
        handle.completed_blocking.notify_all();
        handle.pipeline.runtime.stop();
    }
}
