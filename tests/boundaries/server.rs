//! The HTTP server's layer: real connections, HTTP/1.1 and HTTP/2.

mod bodies;
mod gone;
mod protocol;
mod requests;
mod storm;
mod trust;
