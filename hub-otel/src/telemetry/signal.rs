//! Process signals. No handler is installed unless requested: a library that catches SIGTERM
//! unrequested can keep a program from ending.

use crate::export::runtime::spawn_blocking;
use crate::telemetry::error::InitError;
use crate::telemetry::shutdown::ShutdownHandle;
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Waits for SIGTERM or SIGINT. On other systems than Unix, waits for Ctrl-C.
///
/// The handlers are installed when the future is first polled and stay installed: a later signal no
/// longer ends the process by itself. Works on any async runtime. If the handlers cannot be
/// installed, the future never completes and the signals keep their default action.
///
/// The function delivers nothing itself. Stop the service, then call
/// [`Telemetry::shutdown`](crate::Telemetry::shutdown). A program without an orderly stop can set
/// [`TelemetryBuilder::shutdown_on_signal`](crate::TelemetryBuilder::shutdown_on_signal) instead.
///
/// ```no_run
/// # async fn serve_until(stop: impl Future<Output = ()>) { stop.await }
/// # async fn run() -> Result<(), hub_otel::InitError> {
/// let telemetry = hub_otel::init!()?;
/// serve_until(hub_otel::shutdown_signal()).await;
/// telemetry.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub async fn shutdown_signal() {
    let (received, signal) = oneshot::channel();
    let (installed, ready) = std::sync::mpsc::sync_channel(1);
    // A separate thread: the caller's runtime may not be tokio, or have no signal driver.
    let spawned = std::thread::Builder::new().name("hub-otel-signal".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            let Ok(mut listener) = SignalListener::install() else { return };
            let _ = installed.send(());
            listener.next().await;
            let _ = received.send(());
        });
    });
    // Waits for the installation, so that a signal after the first poll is not missed.
    if spawned.is_ok() {
        let _ = ready.recv();
    }
    if spawned.is_err() || signal.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A signal that requests the end of the process.
#[derive(Debug, Clone, Copy)]
enum TerminationSignal {
    #[cfg(unix)]
    Terminate,
    Interrupt,
}

/// The installed signal handlers.
#[derive(Debug)]
struct SignalListener {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl SignalListener {
    /// Installs the handlers. Must be called in a tokio context.
    fn install() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::SignalKind;
            use tokio::signal::unix::signal;
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next signal.
    async fn next(&mut self) -> TerminationSignal {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => TerminationSignal::Terminate,
            _ = self.interrupt.recv() => TerminationSignal::Interrupt,
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            TerminationSignal::Interrupt
        }
    }
}

/// Installs handlers that shut the instance down and then end the process by the same signal
/// (`TelemetryBuilder::shutdown_on_signal`).
///
/// # Errors
/// A handler cannot be installed.
pub(crate) fn install_shutdown_handlers(handle: &Arc<ShutdownHandle>) -> Result<(), InitError> {
    let runtime = handle.pipeline.runtime.handle().clone();
    let mut listener = {
        let _context = runtime.enter();
        SignalListener::install().map_err(InitError::signal_handlers)?
    };
    let weak = Arc::downgrade(handle);
    runtime.spawn(async move {
        let signal = listener.next().await;
        if let Some(handle) = weak.upgrade() {
            let timeout = *handle.pipeline.config.shutdown_timeout;
            // On a blocking thread: the export thread has to deliver meanwhile.
            let _ = spawn_blocking(move || {
                handle.begin(timeout);
                handle.wait_blocking(timeout);
                signal.reraise();
            })
            .await;
        }
    });
    Ok(())
}

impl TerminationSignal {
    /// Ends the process with the signal's default action.
    fn reraise(self) {
        #[cfg(unix)]
        {
            let signal = match self {
                Self::Terminate => signal_hook::consts::SIGTERM,
                Self::Interrupt => signal_hook::consts::SIGINT,
            };
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        #[cfg(not(unix))]
        std::process::exit(130);
    }
}
