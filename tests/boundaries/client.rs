//! The HTTP client: what goes over the wire, and what is told of it.

mod baggage;
mod failures;
mod redirects;
mod requests;
