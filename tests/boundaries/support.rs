//! What every test here needs: telemetry that is watched, a server on a port of its own, a client that can hang up.

mod picture;
mod raw;
mod server;
mod watched;

pub(crate) use raw::Raw;
pub(crate) use server::Server;
pub(crate) use watched::Watched;
