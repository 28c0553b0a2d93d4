//! HTTP at both ends: a tower layer for axum's router, a wrapper of reqwest's client.
//!
//! Both follow the stable semantic conventions (HTTP spans, HTTP metrics): names with the route's template and never with
//! the path, no query string, no header that was not named, `error.type` a kind and never a text. Every end is a drop
//! guard's: a client that hangs up, a handler that panics and a body that stops half-way end like everything else.

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
