//! The HTTP client: requests on the wire, and their telemetry.

mod baggage;
mod failures;
mod layer;
mod middleware;
mod redirects;
mod requests;
