//! Process signals. No handler is installed unless requested: a library that catches SIGTERM
//! unrequested can keep a program from ending.

use crate::export::runtime::spawn_blocking;
use crate::telemetry::default_action::DefaultActionGuard;
#[cfg(unix)]
use crate::telemetry::default_action::{exit_status, is_init_process};
use crate::telemetry::error::InitError;
use crate::telemetry::shutdown::ShutdownHandle;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The time after a signal in which another one is a repetition of it. Some parent processes send
/// a signal twice: to the process and to its group (`timeout` of the GNU coreutils does).
const REPEAT_WINDOW: Duration = Duration::from_secs(1);

/// The time limit of the installation of handlers.
const INSTALL_TIME: Duration = Duration::from_secs(1);

/// Waits for SIGTERM or SIGINT. On other systems than Unix, waits for Ctrl-C.
///
/// The handlers are installed when the future is first polled. One second after the signal, or when
/// the future is dropped, the signals have their default action again and end the process: a stop
/// that hangs can be ended by a second Ctrl-C. (A handler that the program installs itself, with
/// `tokio::signal` for example, does not prevent that. Use one kind of handler per program.)
///
/// Works on any async runtime. If the handlers cannot be installed, the future never completes and
/// the signals keep their default action.
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
    let Ok(guard) = DefaultActionGuard::suspend() else {
        return std::future::pending().await;
    };
    let (received, signal) = oneshot::channel();
    let (installed, ready) = std::sync::mpsc::sync_channel(1);
    // A separate thread: the caller's runtime may not be tokio, or have no signal driver.
    let spawned = std::thread::Builder::new().name("hub-otel-signal".to_owned()).spawn(move || {
        let mut received = received;
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            let Ok(mut listener) = SignalListener::install() else { return };
            let _ = installed.send(());
            tokio::select! {
                _ = listener.next() => {}
                () = received.closed() => return,
            }
            let guard = DefaultActionGuard::suspend();
            let _ = received.send(());
            tokio::time::sleep(REPEAT_WINDOW).await;
            drop(guard);
        });
    });
    // Waits for the installation, so that a signal after the first poll is not missed.
    if spawned.is_ok() {
        let _ = ready.recv_timeout(INSTALL_TIME);
    }
    if spawned.is_err() || signal.await.is_err() {
        // The signals keep their default action.
        drop(guard);
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

/// The handlers of one waiting part. Removed on drop.
#[derive(Debug)]
struct SignalListener {
    #[cfg(unix)]
    terminate: SignalPipe,
    #[cfg(unix)]
    interrupt: SignalPipe,
}

impl SignalListener {
    /// Installs the handlers. Must be called in a tokio context.
    fn install() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: SignalPipe::register(signal_hook::consts::SIGTERM)?,
            #[cfg(unix)]
            interrupt: SignalPipe::register(signal_hook::consts::SIGINT)?,
        })
    }

    /// Waits for the next signal.
    async fn next(&mut self) -> TerminationSignal {
        #[cfg(unix)]
        tokio::select! {
            () = self.terminate.received() => TerminationSignal::Terminate,
            () = self.interrupt.received() => TerminationSignal::Interrupt,
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

/// A pipe that the handler of one signal writes to.
///
/// `tokio::signal` is not used: its handler cannot be removed, and if the application installed it
/// first, it runs before the handler of the default action, which may then see the state of after
/// the signal.
#[cfg(unix)]
#[derive(Debug)]
struct SignalPipe {
    reader: tokio::net::UnixStream,
    id: signal_hook::SigId,
}

#[cfg(unix)]
impl SignalPipe {
    fn register(signal: i32) -> io::Result<Self> {
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let reader = tokio::net::UnixStream::from_std(reader)?;
        Ok(Self { reader, id: signal_hook::low_level::pipe::register(signal, writer)? })
    }

    async fn received(&self) {
        // An error of the pipe counts as a signal: the process must stay able to end.
        while self.reader.readable().await.is_ok() {
            match self.reader.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    }
}

#[cfg(unix)]
impl Drop for SignalPipe {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.id);
    }
}

/// Installs handlers that shut the instance down and then end the process by the same signal
/// (`TelemetryBuilder::shutdown_on_signal`).
///
/// # Errors
/// A handler cannot be installed.
pub(crate) fn install_shutdown_handlers(handle: &Arc<ShutdownHandle>) -> Result<(), InitError> {
    let runtime = handle.pipeline.runtime.handle().clone();
    // Before the listener, so that the default action is suspended when the signal is observed.
    let guard = DefaultActionGuard::suspend().map_err(InitError::signal_handlers)?;
    handle.suspend_default_action(guard);
    let mut listener = {
        let _context = runtime.enter();
        SignalListener::install().map_err(InitError::signal_handlers)?
    };
    let weak = Arc::downgrade(handle);
    runtime.spawn(async move {
        let signal = listener.next().await;
        if let Some(handle) = weak.upgrade() {
            let repeated = Arc::clone(&handle);
            tokio::spawn(async move {
                tokio::time::sleep(REPEAT_WINDOW).await;
                repeated.restore_default_action();
            });
            let timeout = *handle.pipeline.config.shutdown_timeout;
            handle.begin(timeout);
            // On a thread of its own: the export thread has to deliver meanwhile, and its blocking
            // threads may all be in name lookups that do not return.
            let end = move || {
                handle.wait_blocking(timeout);
                signal.reraise();
            };
            let builder = std::thread::Builder::new().name("hub-otel-signal".to_owned());
            if builder.spawn(end.clone()).is_err() {
                let _ = spawn_blocking(end).await;
            }
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
            if is_init_process() {
                signal_hook::low_level::exit(exit_status(signal));
            }
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        #[cfg(not(unix))]
        std::process::exit(130);
    }
}
