//! The live view: runs in the browser while they run, served by the process itself.
//!
//! [`TelemetryBuilder::live`](crate::TelemetryBuilder::live) or OTEL_HUB_LIVE serves it on a
//! listener of its own; [`Telemetry::live_router`](crate::Telemetry::live_router) (feature `axum`)
//! mounts it into the application. Runs, the waterfall of one run with its log lines, approvals,
//! and the health of the process. Other processes may send their spans to it. Bounded in memory,
//! secrets redacted before anything is stored, no external request. See `docs/live-view.md`.
//!
//! ```no_run
//! # fn main() -> Result<(), hub_otel::InitError> {
//! let telemetry = hub_otel::Telemetry::builder()
//!     .default_service_name("scanner")
//!     .live("127.0.0.1:9465")
//!     .install()?;
//! # drop(telemetry);
//! # Ok(())
//! # }
//! ```

mod access;
mod application;
mod assets;
mod body;
mod events;
pub(crate) mod feed;
mod health;
mod http;
pub(crate) mod listener;
mod receive;
#[cfg(feature = "axum")]
mod router;
mod row;
pub(crate) mod server;
mod store;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod unit_spans;
mod wire_text;

pub use crate::live::access::is_cross_site;
pub use crate::live::application::{Application, Approval, Decision};

use crate::telemetry::Telemetry;

/// Live view (feature `live`).
impl Telemetry {
    /// Returns the URL of the live view, with its token. `None` if no listener serves it.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let telemetry = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")])
    ///     .live("127.0.0.1:0")
    ///     .build()?;
    /// let url = telemetry.live_url().unwrap_or_default();
    /// assert!(url.starts_with("http://127.0.0.1:") && url.contains("/?token="));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn live_url(&self) -> Option<String> {
        let server = self.handle()?.pipeline.live.as_ref()?;
        let address = server.address?;
        Some(format!("http://{address}/{}", server.token_query()))
    }

    /// Registers the contributions of the application: approvals, decisions, cancellations and a
    /// command to show. Replaces earlier ones. No-op if the live view is off.
    ///
    /// ```
    /// use hub_otel::live::Application;
    ///
    /// # async fn cancel(run: &str) -> Result<(), String> { Ok(()) }
    /// fn register(telemetry: &hub_otel::Telemetry) {
    ///     let application = Application::new().cancel(|run| async move { cancel(&run).await });
    ///     telemetry.live_application(application);
    /// }
    /// ```
    pub fn live_application(&self, application: Application) {
        if let Some(server) = self.handle().and_then(|handle| handle.pipeline.live.as_ref()) {
            server.set_application(application);
        }
    }

    /// Returns the live view as a router: the page at `/`, spans of other processes at
    /// `/v1/traces`, everything else under `/live/`.
    ///
    /// Nest it under a path with `nest_service("/telemetry", …)`, or merge it. Requires
    /// [`live_embedded`](crate::TelemetryBuilder::live_embedded) or a listener; otherwise every
    /// request gets 404. Exclude `/live/*` and `/v1/*` from the application's own HTTP telemetry.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// use axum::Router;
    ///
    /// let telemetry = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")])
    ///     .live_embedded()
    ///     .live_token("correct-horse-battery-staple")
    ///     .build()?;
    /// let router: Router = Router::new().nest_service("/telemetry", telemetry.live_router());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "axum")]
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn live_router(&self) -> axum::Router {
        let server = self.handle().and_then(|handle| handle.pipeline.live.as_ref());
        router::router(server.cloned())
    }

    /// Returns the query with the token of the live view, `?token=…`, for an application that
    /// prints the URL of its own router. Empty if no token is required.
    #[must_use]
    pub fn live_token_query(&self) -> String {
        let server = self.handle().and_then(|handle| handle.pipeline.live.as_ref());
        server.map(|server| server.token_query()).unwrap_or_default()
    }
}
