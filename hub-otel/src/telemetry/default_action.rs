//! The default action of SIGTERM and SIGINT: suspended while something waits for a signal.
//!
//! An installed handler cannot be removed again. The handlers are therefore installed once, with a
//! condition: while no [`DefaultActionGuard`] exists, they apply the default action, and the
//! process ends.

use std::io;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::sync::{Arc, Mutex, PoisonError};

/// State of the handlers of this process.
#[cfg(unix)]
struct Handlers {
    /// Set while there is no guard. `None` until the handlers are installed.
    default_action: Option<Arc<AtomicBool>>,
    guards: usize,
}

#[cfg(unix)]
static HANDLERS: Mutex<Handlers> = Mutex::new(Handlers { default_action: None, guards: 0 });

/// Suspends the default action of SIGTERM and SIGINT until it and all others are dropped.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct DefaultActionGuard(());

/// Has no effect: on this system, handlers cannot give the default action back.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct DefaultActionGuard(());

#[cfg(not(unix))]
impl DefaultActionGuard {
    pub(crate) fn suspend() -> io::Result<Self> {
        Ok(Self(()))
    }
}

#[cfg(unix)]
impl DefaultActionGuard {
    pub(crate) fn suspend() -> io::Result<Self> {
        let mut handlers = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
        let default_action = match &handlers.default_action {
            Some(default_action) => Arc::clone(default_action),
            None => {
                let condition = Arc::new(AtomicBool::new(false));
                for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
                    register_default_action(signal, &condition)?;
                }
                handlers.default_action.insert(condition).clone()
            }
        };
        default_action.store(false, Ordering::SeqCst);
        handlers.guards += 1;
        Ok(Self(()))
    }
}

#[cfg(unix)]
impl Drop for DefaultActionGuard {
    fn drop(&mut self) {
        let mut handlers = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
        handlers.guards -= 1;
        if handlers.guards == 0
            && let Some(default_action) = &handlers.default_action
        {
            default_action.store(true, Ordering::SeqCst);
        }
    }
}

/// Installs a handler that applies the default action of `signal` while `condition` is set.
#[cfg(unix)]
fn register_default_action(signal: i32, condition: &Arc<AtomicBool>) -> io::Result<()> {
    use signal_hook::flag::{register_conditional_default, register_conditional_shutdown};
    let condition = Arc::clone(condition);
    if is_init_process() {
        register_conditional_shutdown(signal, exit_status(signal), condition)?;
    } else {
        register_conditional_default(signal, condition)?;
    }
    Ok(())
}

/// Returns whether this is process 1, for example of a container. The kernel applies no default
/// action to it.
#[cfg(unix)]
pub(crate) fn is_init_process() -> bool {
    std::process::id() == 1
}

/// Returns the status with which shells report the end by `signal`.
#[cfg(unix)]
pub(crate) const fn exit_status(signal: i32) -> i32 {
    128 + signal
}
