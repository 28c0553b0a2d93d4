//! HTTP server and client instrumentation: a tower layer for axum's router, a wrapper of reqwest's
//! client, and a tower layer and a middleware of reqwest-middleware for other clients.
//!
//! All follow the stable semantic conventions (HTTP spans, HTTP metrics). Spans are named after
//! the template of the route, never after the path. Query strings are not recorded, headers only if
//! they are named, and `error.type` is one of a fixed set. Spans are ended by drop guards: a client
//! that disconnects, a handler that panics and a body that fails half-way end theirs too.

#[cfg(any(feature = "reqwest", feature = "tower"))]
pub(crate) mod client;
mod method;
#[cfg(feature = "axum")]
mod path_glob;
#[cfg(feature = "axum")]
pub(crate) mod server;
#[cfg(feature = "axum")]
mod trust;

#[cfg(feature = "openai")]
pub(crate) use crate::http::method::{status_error_type, strip_brackets};

#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use crate::http::client::layer::{ClientFuture, ClientLayer, ClientService};
#[cfg(feature = "reqwest-middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
pub use crate::http::client::middleware::ClientMiddleware;
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use crate::http::client::reqwest_client::{Client, RequestBuilder};
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "reqwest-middleware", feature = "tower"))))]
pub use crate::http::client::settings::{ResendCount, UrlTemplate};
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use crate::http::server::{ServerBody, ServerFuture, ServerLayer, ServerService};
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use crate::http::trust::Trust;
