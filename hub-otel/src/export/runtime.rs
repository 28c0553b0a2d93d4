//! The export runtime: a tokio runtime on one thread for exports and `/metrics`.
//!
//! Independent of the application's runtime: the exporters always have a tokio context, and a
//! blocking flush on an application thread never waits for work of that same thread. Telemetry is
//! suppressed on its thread and in [`spawn_blocking`], so that the exporters' own activity is never
//! exported.

use opentelemetry::Context;
use std::io;
use std::sync::Mutex;
use tokio::runtime::Builder;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The phase of all tasks of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportPhase {
    Running,
    /// Shutdown: export the waiting items until the deadline.
    Draining {
        since: Instant,
        deadline: Instant,
    },
}

/// The runtime's handle. The thread ends on [`stop`](Self::stop) and on drop.
#[derive(Debug)]
pub(crate) struct ExportRuntime {
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    /// The process with the thread. A forked child has this value without the thread.
    owner_pid: u32,
}

impl ExportRuntime {
    /// Starts the thread.
    ///
    /// # Errors
    /// The process is out of threads or file descriptors.
    pub(crate) fn start() -> io::Result<Self> {
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("hub-otel".to_owned()).spawn(move || {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            // Built and dropped on this thread: dropping a runtime inside another one panics.
            let runtime = Builder::new_current_thread()
                .enable_all()
                .thread_name("hub-otel-blocking")
                .max_blocking_threads(16)
                .build();
            match runtime {
                Err(error) => drop(ready.send(Err(error))),
                Ok(runtime) => {
                    if ready.send(Ok(runtime.handle().clone())).is_ok() {
                        let _ = runtime.block_on(stopped);
                    }
                    runtime.shutdown_background();
                }
            }
        })?;
        let handle = started
            .recv()
            .map_err(|_| io::Error::other("the thread ended before the runtime started"))??;
        Ok(Self { handle, stop: Mutex::new(Some(stop)), owner_pid: std::process::id() })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns whether this process is a forked child, which has no export thread.
    pub(crate) fn is_orphaned(&self) -> bool {
        std::process::id() != self.owner_pid
    }

    /// Stops the thread without waiting for its end.
    pub(crate) fn stop(&self) {
        if let Ok(mut stop) = self.stop.lock() {
            stop.take();
        }
    }
}

/// Runs `work` on a blocking thread of the current runtime, with telemetry suppressed.
pub(crate) fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    tokio::task::spawn_blocking(move || {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        work()
    })
}
