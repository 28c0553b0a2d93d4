//! The private runtime: one thread that exports, serves `/metrics` and nothing else.
//!
//! It cures two traps of the SDK: an exporter that needs a tokio context and finds none, and one that is waited for on
//! the very thread that would have to drive it. Telemetry is suppressed on its threads, so that what the exporters do
//! is never exported.

use opentelemetry::Context;
use std::io;
use std::sync::Mutex;
use tokio::runtime::Builder;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// The runtime's handle, and the switch that ends it. It ends by itself when this is dropped.
#[derive(Debug)]
pub(crate) struct Private {
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    /// A child process has this value, but not the thread.
    owner: u32,
}

impl Private {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no thread left, or no file descriptor for its poller.
    pub(crate) fn start() -> io::Result<Self> {
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("hub-otel".to_owned()).spawn(move || {
            suppress_here();
            // Built here and dropped here: a runtime must not be dropped on a thread that drives another one.
            let runtime = Builder::new_current_thread()
                .enable_all()
                .thread_name("hub-otel-blocking")
                .max_blocking_threads(16)
                .on_thread_start(suppress_here)
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
        let handle = started.recv().map_err(|_| io::Error::other("the thread ended at once"))??;
        Ok(Self { handle, stop: Mutex::new(Some(stop)), owner: std::process::id() })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Whether this process is a child that was forked from the one with the thread: it has nobody to export.
    pub(crate) fn is_orphaned(&self) -> bool {
        std::process::id() != self.owner
    }

    /// Ends the thread, without waiting for it.
    pub(crate) fn stop(&self) {
        if let Ok(mut stop) = self.stop.lock() {
            stop.take();
        }
    }
}

/// Suppresses telemetry on this thread for as long as it lives.
fn suppress_here() {
    std::mem::forget(Context::enter_telemetry_suppressed_scope());
}
