//! Signals that end the program. Nothing is installed until somebody asks: a library that catches SIGTERM unasked
//! keeps programs from dying.

use crate::telemetry::error::InitError;
use crate::telemetry::shutdown::Inner;
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Waits until the process is asked to end: SIGTERM or SIGINT, Ctrl-C elsewhere.
///
/// The handlers are installed when the future is first polled. It needs no runtime of tokio's and works on any.
///
/// ```no_run
/// # async fn serve(until: impl Future<Output = ()>) { until.await }
/// # async fn main_() {
/// serve(hub_otel::shutdown_signal()).await;
/// # }
/// ```
pub async fn shutdown_signal() {
    let (told, signal) = oneshot::channel();
    let (stands, ready) = std::sync::mpsc::sync_channel(1);
    // A thread of its own: the caller may run on anything, and on a runtime without tokio's signal driver.
    let spawned = std::thread::Builder::new().name("hub-otel-signal".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            let Ok(mut listener) = Listener::install() else { return };
            let _ = stands.send(());
            listener.next().await;
            let _ = told.send(());
        });
    });
    // The handlers stand when the first poll returns: a signal right after it must not kill the program.
    if spawned.is_ok() {
        let _ = ready.recv();
    }
    // Without a thread, or without a handler, the signal keeps its default action, which ends the program as well.
    if spawned.is_err() || signal.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A signal that ends the process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    #[cfg(unix)]
    Terminate,
    Interrupt,
}

/// The handlers.
#[derive(Debug)]
pub(crate) struct Listener {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Listener {
    /// Installs the handlers, within a runtime.
    pub(crate) fn install() -> io::Result<Self> {
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

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Ending {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => Ending::Terminate,
            _ = self.interrupt.recv() => Ending::Interrupt,
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Ending::Interrupt
        }
    }
}

/// Delivers and ends the process when a signal says so (`Builder::shutdown_on_signal`).
///
/// # Errors
/// When a handler cannot be installed.
pub(crate) fn shut_down(inner: &Arc<Inner>) -> Result<(), InitError> {
    let handle = inner.private.handle().clone();
    let mut listener = {
        let _context = handle.enter();
        Listener::install().map_err(InitError::signal_handlers)?
    };
    let weak = Arc::downgrade(inner);
    handle.spawn(async move {
        let ending = listener.next().await;
        if let Some(inner) = weak.upgrade() {
            let timeout = *inner.config.shutdown_timeout;
            // On a thread of its own: this one has to deliver.
            let _ = tokio::task::spawn_blocking(move || {
                inner.begin(timeout);
                inner.wait_blocking(timeout);
                ending.again();
            })
            .await;
        }
    });
    Ok(())
}

impl Ending {
    /// Ends the process as if nobody had caught the signal.
    fn again(self) {
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
