//! What every test here needs: a server on a port of its own.

mod server;

pub(crate) use server::Server;
