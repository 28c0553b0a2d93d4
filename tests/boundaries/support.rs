//! Shared by the tests: captured telemetry, a server on a free port, a client that can disconnect.

mod capture;
mod raw;
mod server;
pub(crate) mod snapshot;

pub(crate) use capture::BoundaryCapture;
pub(crate) use raw::Raw;
pub(crate) use server::Server;

/// A panic that the panic hook does not print.
pub(crate) fn panic_quietly() {
    std::panic::resume_unwind(Box::new("on purpose"))
}
