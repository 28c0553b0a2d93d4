//! Jaeger and VictoriaLogs with the shipped configuration.

use crate::prometheus::encoded;
use crate::stack::{START, tool};
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::{http, ports};
use serde_json::{Value, json};
use std::path::Path;
use xtask::files::root;

/// Jaeger. The module has no user interface; the image has.
pub(crate) struct Jaeger {
    /// Its process.
    pub(crate) process: Process,
    /// URL of the OTLP/HTTP receiver.
    pub(crate) otlp: String,
    /// URL of the queries, and of the user interface in the image.
    pub(crate) query: String,
    /// Port of its own metrics.
    pub(crate) metrics: u16,
}

impl Jaeger {
    pub(crate) fn start(data: &Path) -> Self {
        let [health, otlp, query, grpc, metrics] = std::array::from_fn(|_| ports::free());
        let address = |port| format!("127.0.0.1:{port}");
        let mut process = Process::spawn(
            command(tool("jaeger"))
                .arg("--config")
                .arg(root().join("observability/jaeger/config.yaml"))
                .env("HUB_JAEGER_HEALTH", address(health))
                .env("HUB_JAEGER_DATA", data)
                .env("HUB_JAEGER_OTLP", address(otlp))
                .env("HUB_JAEGER_QUERY", address(query))
                .env("HUB_JAEGER_QUERY_GRPC", address(grpc))
                .env("HUB_JAEGER_METRICS_HOST", "127.0.0.1")
                .env("HUB_JAEGER_METRICS_PORT", metrics.to_string()),
        );
        process.wait_until_ready(START, &format!("http://127.0.0.1:{health}/status"));
        let url = |port| format!("http://127.0.0.1:{port}");
        Self { process, otlp: url(otlp), query: url(query), metrics }
    }

    /// Finds the traces with a span that has the attribute.
    pub(crate) fn find(&self, service: &str, key: &str, value: &str) -> Vec<Value> {
        let tags = encoded(&json!({key: value}).to_string());
        self.search(&format!("service={service}&tags={tags}&lookback=1h"))
    }

    /// Returns the traces of a search with the parameters of the user interface.
    pub(crate) fn search(&self, parameters: &str) -> Vec<Value> {
        let reply = http::get(format!("{}/api/traces?{parameters}&limit=20", self.query));
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        body["data"].as_array().cloned().unwrap_or_default()
    }

    /// Asserts that the log has no warning, except for the missing user interface.
    pub(crate) fn assert_no_warnings(&self) {
        let log = self.process.stdout() + &self.process.stderr();
        let warnings: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("\twarn\t") || line.contains("\terror\t"))
            .filter(|line| !line.contains("ui/assets.go"))
            .collect();
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

/// VictoriaLogs.
pub(crate) struct VictoriaLogs {
    /// Its process.
    pub(crate) process: Process,
    /// URL of ingestion, queries and the user interface.
    pub(crate) url: String,
    /// Its port.
    pub(crate) port: u16,
}

impl VictoriaLogs {
    pub(crate) fn start(data: &Path) -> Self {
        let port = ports::free();
        let mut process = Process::spawn(
            command(tool("victoria-logs"))
                .arg(format!("-storageDataPath={}", data.display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-retentionPeriod=7d"),
        );
        let url = format!("http://127.0.0.1:{port}");
        process.wait_until_ready(START, &format!("{url}/health"));
        Self { process, url, port }
    }

    /// Returns the records that match a LogsQL query.
    pub(crate) fn find(&self, query: &str) -> Vec<Value> {
        self.search(&encoded(query))
    }

    /// Returns the records that match a LogsQL query, which is percent-encoded.
    pub(crate) fn search(&self, query: &str) -> Vec<Value> {
        let reply = http::get(format!("{}/select/logsql/query?query={query}", self.url));
        reply.body.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
