//! What every test here needs: telemetry that is watched, a server on a port of its own, a client that can hang up.

mod picture;
mod raw;
mod server;
mod watched;

pub(crate) use raw::Raw;
pub(crate) use server::Server;
pub(crate) use watched::Watched;

/// A panic that the panic hook does not print.
pub(crate) fn panic_quietly() {
    std::panic::resume_unwind(Box::new("on purpose"))
}
