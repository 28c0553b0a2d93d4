//! The shutdown of one instance: all signals concurrently, one deadline, exactly once.

use crate::export::pipeline::Pipeline;
use crate::export::runtime::ExportPhase;
use crate::semconv::drop_reason;
use crate::telemetry::default_action::DefaultActionGuard;
use crate::telemetry::report::Report;
use crate::telemetry::shutdown_message::shutdown_message;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::time::timeout_at;

/// The time that a caller waits for the export thread beyond the deadline.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// The pipeline of one instance with the state of its shutdown.
pub(crate) struct ShutdownHandle {
    pub(crate) pipeline: Pipeline,
    /// The result, once the shutdown is complete.
    result: Mutex<Option<Report>>,
    completed: Notify,
    completed_blocking: Condvar,
    /// Set for the installed instance, which logs the shutdown message.
    pub(crate) is_installed: AtomicBool,
    /// Set by [`otel::tracing_layer`](crate::otel::tracing_layer): the application exports its log
    /// records.
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
        let complete_on_drop = CompleteOnDrop { handle: Arc::clone(self), began };
        self.pipeline.runtime.handle().spawn(async move {
            let _complete_on_drop = complete_on_drop;
            handle.pipeline.close_queues();
            handle.pipeline.phase.send_replace(ExportPhase::Draining { since, deadline });
            // Each task keeps the deadline itself. This one limits a task that does not.
            let _ = timeout_at(deadline + GRACE / 2, async {
                while tasks.join_next().await.is_some() {}
            })
            .await;
        });
    }

    /// Waits for the completion, on any async runtime.
    pub(crate) async fn wait(&self) -> Report {
        loop {
            // Created before the check: a completion in between is not missed.
            let completed = self.completed.notified();
            if let Some(report) = self.result() {
                return report;
            }
            completed.await;
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
            .wait_timeout_while(result, limit + GRACE, |result| result.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        result.clone().unwrap_or_else(|| {
            // The export thread did not run in time: its pending items count as dropped.
            self.pipeline.close_accounting(drop_reason::SHUTDOWN_DEADLINE);
            self.pipeline.report(limit)
        })
    }
}

/// Completes the shutdown on drop, even if its task panics: no caller may wait forever.
struct CompleteOnDrop {
    handle: Arc<ShutdownHandle>,
    began: Instant,
}

impl Drop for CompleteOnDrop {
    fn drop(&mut self) {
        let handle = &self.handle;
        handle.pipeline.close_accounting(drop_reason::SHUTDOWN_DEADLINE);
        let report = handle.pipeline.report(self.began.elapsed());
        // An instance that is not installed is one of several: only its report is returned.
        if handle.is_installed.load(Ordering::SeqCst) {
            let message =
                shutdown_message(&report, &handle.pipeline.config, &handle.pipeline.endpoints);
            handle.pipeline.diagnostics.log(&message);
        }
        handle.restore_default_action();
        *handle.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        handle.completed.notify_waiters();
        handle.completed_blocking.notify_all();
        handle.pipeline.runtime.stop();
    }
}
