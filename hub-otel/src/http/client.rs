//! HTTP client spans and metrics: one attempt, started by a client, a layer or a middleware.

mod attempt;
#[cfg(feature = "tower")]
pub(crate) mod layer;
mod metrics;
#[cfg(feature = "reqwest-middleware")]
pub(crate) mod middleware;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest_attempt;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest_client;
pub(crate) mod settings;
mod target;
