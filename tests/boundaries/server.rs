//! The HTTP server's layer: real connections, HTTP/1.1 and HTTP/2.

mod bodies;
mod disconnects;
mod protocol;
mod requests;
mod stress;
mod trust;
