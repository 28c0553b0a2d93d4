//! Settings of the live view in the builder.

use crate::telemetry::builder::TelemetryBuilder;

/// Live view (feature `live`).
impl TelemetryBuilder {
    /// Serves the live view on `address`, an IP address and a port. Port 0 selects any free port.
    ///
    /// Variable: OTEL_HUB_LIVE. Default: `off`. `install` prints the URL, which contains a token;
    /// [`Telemetry::live_url`](crate::Telemetry::live_url) returns it. An address beyond loopback
    /// requires a [token](Self::live_token). An address that is in use is an error.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().live("127.0.0.1:0");
    /// assert!(builder.config().is_ok());
    /// // Beyond loopback, without a token.
    /// assert!(hub_otel::Telemetry::builder().live("0.0.0.0:9465").config().is_err());
    /// ```
    pub fn live(self, address: impl Into<String>) -> Self {
        self.set("OTEL_HUB_LIVE", "live", address)
    }

    /// Collects for the live view without a listener, for an application that serves
    /// `Telemetry::live_router` (feature `axum`).
    ///
    /// Variable: OTEL_HUB_LIVE with `embedded`. Default: `off`.
    pub fn live_embedded(self) -> Self {
        self.set("OTEL_HUB_LIVE", "live_embedded", "embedded")
    }

    /// Sets the token of the live view. Several with commas, for a rotation.
    ///
    /// Variable: OTEL_HUB_LIVE_TOKEN. Default: a random token per start. A listener requires at
    /// least 16 characters.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .live("0.0.0.0:9465")
    ///     .live_token("correct-horse-battery-staple");
    /// assert!(builder.config().is_ok());
    /// ```
    pub fn live_token(self, token: impl Into<String>) -> Self {
        self.set("OTEL_HUB_LIVE_TOKEN", "live_token", token)
    }

    /// Serves the live view without a token, to each caller that reaches it. Actions still require
    /// the same origin, and a listener beyond loopback still requires a token.
    ///
    /// No variable. For a router behind the application's own access rules.
    pub fn live_without_token(self) -> Self {
        self.set("builder:live_without_token", "live_without_token", "true")
    }

    /// Sets the host names by which the live view may be requested, in addition to names of
    /// loopback and IP addresses. `*` permits every name.
    ///
    /// Variable: OTEL_HUB_LIVE_HOSTS. Default: none. Other requests get status 403: a page of
    /// another site cannot read the view by DNS rebinding.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().live("127.0.0.1:0").live_hosts(["dev.internal"]);
    /// ```
    pub fn live_hosts(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.set("OTEL_HUB_LIVE_HOSTS", "live_hosts", names.join(","))
    }

    /// Sets the URL of a trace in another tool. `{trace_id}` is replaced.
    ///
    /// Variable: OTEL_HUB_LIVE_TRACE_URL. Default: none, the page shows no such link.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .live("127.0.0.1:0")
    ///     .live_trace_url("http://localhost:16686/trace/{trace_id}");
    /// assert!(builder.config().is_ok());
    /// ```
    pub fn live_trace_url(self, template: impl Into<String>) -> Self {
        self.set("OTEL_HUB_LIVE_TRACE_URL", "live_trace_url", template)
    }
}
