//! HTTP server and client instrumentation: a tower layer for axum's router, and a wrapper of
//! reqwest's client.
//!
//! Both follow the stable semantic conventions (HTTP spans, HTTP metrics). Spans are named after
//! the template of the route, never after the path. Query strings are not recorded, headers only if
//! they are named, and `error.type` is one of a fixed set. Spans are ended by drop guards: a client
//! that disconnects, a handler that panics and a body that fails half-way end theirs too.

#[cfg(feature = "reqwest")]
pub(crate) mod client;
mod method;
#[cfg(feature = "axum")]
mod path_glob;
#[cfg(feature = "axum")]
pub(crate) mod server;
#[cfg(feature = "axum")]
mod trust;

#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use crate::http::client::{Client, RequestBuilder};
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use crate::http::server::{ServerBody, ServerFuture, ServerLayer, ServerService};
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use crate::http::trust::Trust;
