//! Exporter settings of the builder: OTLP and `/metrics`.

use crate::config::otlp::{Compression, Protocol};
use crate::config::signal::{Exporter, Signal};
use crate::telemetry::builder::TelemetryBuilder;
use std::path::Path;
use std::time::Duration;

/// Exporters and OTLP.
impl TelemetryBuilder {
    /// Sets the exporters of a signal. An empty list disables the export of the signal.
    ///
    /// Variables: OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_LOGS_EXPORTER. Default: OTLP
    /// for traces and logs, Prometheus for metrics.
    ///
    /// ```
    /// use hub_otel::{Exporter, Signal};
    ///
    /// let builder = hub_otel::Telemetry::builder()
    ///     .exporters(Signal::Traces, [Exporter::Console])
    ///     .exporters(Signal::Metrics, [Exporter::Otlp, Exporter::Prometheus])
    ///     .exporters(Signal::Logs, []);
    /// ```
    pub fn exporters(self, signal: Signal, exporters: impl IntoIterator<Item = Exporter>) -> Self {
        let names: Vec<_> = exporters.into_iter().map(Exporter::as_str).collect();
        let value = if names.is_empty() { "none".to_owned() } else { names.join(",") };
        self.set(format!("OTEL_{}_EXPORTER", signal.upper()), "exporters", value)
    }

    /// Sets the OTLP endpoint of all signals.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_ENDPOINT. Default: `http://localhost:4317` for gRPC,
    /// `http://localhost:4318` for HTTP. Over HTTP, the path of the signal (`/v1/traces`) is
    /// appended. `https://` requires the feature `otlp-tls`.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// use hub_otel::Signal;
    ///
    /// let config = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_SERVICE_NAME", "scanner")])
    ///     .endpoint("http://collector:4317")
    ///     .config()?;
    /// assert_eq!(config.collector(Signal::Traces).as_deref(), Some("http://collector:4317"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        self.set("OTEL_EXPORTER_OTLP_ENDPOINT", "endpoint", url)
    }

    /// Sets the OTLP endpoint of one signal. Takes precedence over [`endpoint`](Self::endpoint);
    /// the URL is used without an appended path.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its siblings.
    ///
    /// ```
    /// use hub_otel::{Protocol, Signal};
    ///
    /// let builder = hub_otel::Telemetry::builder()
    ///     .protocol(Protocol::HttpProtobuf)
    ///     .endpoint("http://collector:4318")
    ///     .signal_endpoint(Signal::Logs, "http://loki:3100/otlp/v1/logs");
    /// ```
    pub fn signal_endpoint(self, signal: Signal, url: impl Into<String>) -> Self {
        self.set(format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.upper()), "signal_endpoint", url)
    }

    /// Sets the OTLP protocol of all signals.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_PROTOCOL. Default: gRPC; HTTP with protobuf if only the feature
    /// `otlp-http` is enabled. A protocol whose feature is not enabled is an error.
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.set("OTEL_EXPORTER_OTLP_PROTOCOL", "protocol", protocol.as_str())
    }

    /// Adds a header to all OTLP requests. May be called several times.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_HEADERS. The first call replaces the variable's headers. The
    /// value is not percent-encoded by the caller. A credential over plain http to another host is
    /// an error, see [`allow_insecure_credentials`](Self::allow_insecure_credentials).
    ///
    /// ```
    /// # fn api_key() -> String { "secret".to_owned() }
    /// let builder = hub_otel::Telemetry::builder()
    ///     .endpoint("https://otlp.example.com")
    ///     .header("x-api-key", api_key())
    ///     .header("x-tenant", "team a");
    /// ```
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        use percent_encoding::NON_ALPHANUMERIC;
        use percent_encoding::utf8_percent_encode;
        let pair =
            format!("{}={}", name.as_ref(), utf8_percent_encode(value.as_ref(), NON_ALPHANUMERIC));
        let (_, headers) = self
            .overrides
            .entry("OTEL_EXPORTER_OTLP_HEADERS".to_owned())
            .or_insert(("header", String::new()));
        if !headers.is_empty() {
            headers.push(',');
        }
        headers.push_str(&pair);
        self
    }

    /// Sets the timeout of one export attempt. Precision: 1 ms; range: 1 ms to 1 h.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_TIMEOUT. Default: 10 s. Retries are not limited by it: a batch
    /// is retried until it is delivered, rejected, or the shutdown deadline passes.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set("OTEL_EXPORTER_OTLP_TIMEOUT", "timeout", timeout.as_millis().to_string())
    }

    /// Sets the request compression of all signals.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_COMPRESSION. Default: none.
    pub fn compression(self, compression: Compression) -> Self {
        self.set("OTEL_EXPORTER_OTLP_COMPRESSION", "compression", compression.as_str())
    }

    /// Sets the PEM file of the trusted certificates, which replace the public roots.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_CERTIFICATE. Default: the roots of the crate `webpki-roots`.
    /// Requires the feature `otlp-tls`. The file is read by `install` and `build`.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .endpoint("https://collector:4317")
    ///     .certificate("/etc/ssl/internal-ca.pem")
    ///     .client_certificate("/etc/scanner/tls.crt", "/etc/scanner/tls.key");
    /// ```
    pub fn certificate(self, pem: impl AsRef<Path>) -> Self {
        self.set(
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "certificate",
            pem.as_ref().display().to_string(),
        )
    }

    /// Sets the client certificate and key (PEM files) for mTLS.
    ///
    /// Variables: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY. Default:
    /// none. Requires the feature `otlp-tls`.
    pub fn client_certificate(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.set(
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "client_certificate",
            certificate.as_ref().display().to_string(),
        )
        .set(
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "client_certificate",
            key.as_ref().display().to_string(),
        )
    }

    /// Sets the address of `/metrics`. Port 0 selects any free port, see
    /// [`Telemetry::metrics_addr`](crate::Telemetry::metrics_addr).
    ///
    /// Variables: OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT. Default:
    /// `127.0.0.1`, 9464. A configured port that is in use is an error; the
    /// [default port](Self::default_prometheus_port) in use is a warning.
    ///
    /// ```
    /// // For a scrape from another host.
    /// let builder = hub_otel::Telemetry::builder().prometheus("0.0.0.0", 9464);
    /// ```
    pub fn prometheus(self, host: impl Into<String>, port: u16) -> Self {
        self.set("OTEL_EXPORTER_PROMETHEUS_HOST", "prometheus", host).set(
            "OTEL_EXPORTER_PROMETHEUS_PORT",
            "prometheus",
            port.to_string(),
        )
    }

    /// Sets the host names by which `/metrics` may be requested, in addition to names of loopback
    /// and IP addresses. `*` permits every name. Other requests get status 403: a page of another
    /// site cannot read the metrics by DNS rebinding.
    ///
    /// Variable: HUB_OTEL_METRICS_HOSTS. Default: none if `/metrics` is served on loopback, every
    /// name elsewhere.
    ///
    /// ```
    /// // For a scrape of `http://orchestrator:9464/metrics`, and of no other name.
    /// let builder =
    ///     hub_otel::Telemetry::builder().prometheus("0.0.0.0",
    /// 9464).metrics_hosts(["orchestrator"]);
    /// ```
    pub fn metrics_hosts(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.set("HUB_OTEL_METRICS_HOSTS", "metrics_hosts", names.join(","))
    }

    /// Sets the cap of label sets per kind of unit: of the combinations of `workflow_id`,
    /// `trigger_type` and extra labels, and of `agent_id`, `action` and extra labels. Range: 1 to
    /// 100,000.
    ///
    /// Variable: HUB_OTEL_MAX_LABEL_SETS. Default: 400, with which each metric stays below the
    /// 2,000 series that the metrics SDK specification recommends. Further combinations are counted
    /// in the series `otel.metric.overflow="true"`. Each status of a label set has about 90 lines
    /// on `/metrics`.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let builder = hub_otel::Telemetry::builder().max_label_sets(2_000);
    /// assert!(builder.config()?.to_string().contains("HUB_OTEL_MAX_LABEL_SETS = 2000"));
    ///
    /// let error = hub_otel::Telemetry::builder().max_label_sets(0).config().unwrap_err();
    /// assert!(error.to_string().contains("`0`"), "{error}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_label_sets(self, sets: usize) -> Self {
        self.set("HUB_OTEL_MAX_LABEL_SETS", "max_label_sets", sets.to_string())
    }
}
