//! What the HTTP and database boundaries share: where they record, what they record into, and when they are silent.
//!
//! Each boundary is one line in the user's code and works on the telemetry that is current, or on the one it was given.

#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx"))]
mod suppress;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx"))]
mod target;

#[cfg(any(feature = "reqwest", feature = "sqlx"))]
pub(crate) use crate::instrumentation::suppress::is_quiet;
#[cfg(feature = "axum")]
pub(crate) use crate::instrumentation::suppress::silence;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx"))]
pub(crate) use crate::instrumentation::target::Target;

use crate::instance::Instance;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx", feature = "process"))]
use std::sync::OnceLock;

#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx", feature = "process"))]
/// The instruments of the boundaries, made when a boundary is first used.
#[derive(Default)]
pub(crate) struct Boundaries {
    /// Which methods of HTTP are known, where that was said.
    #[cfg(any(feature = "axum", feature = "reqwest"))]
    methods: OnceLock<crate::http::KnownMethods>,
    #[cfg(feature = "axum")]
    server: OnceLock<crate::http::server::Metrics>,
    #[cfg(feature = "reqwest")]
    client: OnceLock<crate::http::client::Metrics>,
    #[cfg(feature = "sqlx")]
    db: OnceLock<crate::db::Metrics>,
    #[cfg(feature = "process")]
    pub(crate) process: OnceLock<std::sync::Arc<crate::process::Watched>>,
}

#[cfg(any(feature = "axum", feature = "reqwest"))]
impl Boundaries {
    /// Only these methods have series of their own.
    pub(crate) fn know_methods(&self, names: &[std::sync::Arc<str>]) {
        // Said once, before the instance is given to anybody.
        let _ = self.methods.set(crate::http::KnownMethods::only(names));
    }
}

impl Instance {
    #[cfg(any(feature = "axum", feature = "reqwest"))]
    pub(crate) fn http_methods(&self) -> &crate::http::KnownMethods {
        self.boundaries.methods.get_or_init(crate::http::KnownMethods::default)
    }

    #[cfg(feature = "axum")]
    pub(crate) fn http_server(&self) -> &crate::http::server::Metrics {
        self.boundaries.server.get_or_init(|| crate::http::server::Metrics::new(&self.meter))
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn http_client(&self) -> &crate::http::client::Metrics {
        self.boundaries.client.get_or_init(|| crate::http::client::Metrics::new(&self.meter))
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn db(&self) -> &crate::db::Metrics {
        self.boundaries.db.get_or_init(|| crate::db::Metrics::new(&self.meter))
    }
}
