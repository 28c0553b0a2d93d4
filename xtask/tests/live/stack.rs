//! Starts the components with the shipped configuration files on loopback.

use crate::prometheus::Prometheus;
use hub_otel_tests::ports;
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::Receiver;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use xtask::files::root;

/// Maximum duration of the start of a component on a busy machine.
pub(crate) const START: Duration = Duration::from_secs(120);

/// Transport of the service's metrics to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Scraped.
    Scraped,
    /// Pushed through the Collector.
    Pushed,
}

/// Returns the path of a program built by `observability/tools/build`.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = root().join(".tools/bin").join(name);
    assert!(path.exists(), "{} does not exist; run observability/tools/build", path.display());
    path
}

/// The Collector with the shipped configuration. It sends traces and logs to a receiver.
pub(crate) struct Collector {
    /// Its process.
    pub(crate) process: Process,
    /// URL of the OTLP/gRPC receiver.
    pub(crate) grpc: String,
    /// URL of the OTLP/HTTP receiver.
    pub(crate) http: String,
    /// Port of the Collector's own metrics.
    pub(crate) metrics: u16,
}

impl Collector {
    pub(crate) fn start(backends: &Receiver, prometheus: u16) -> Self {
        let [health, grpc, http, metrics] = std::array::from_fn(|_| ports::free());
        let mut process = Process::spawn(
            command(tool("otelcol-hub"))
                .arg("--config")
                .arg(root().join("observability/collector/config.yaml"))
                .env("HUB_COLLECTOR_HEALTH", format!("127.0.0.1:{health}"))
                .env("HUB_OTLP_GRPC", format!("127.0.0.1:{grpc}"))
                .env("HUB_OTLP_HTTP", format!("127.0.0.1:{http}"))
                .env("HUB_COLLECTOR_METRICS_HOST", "127.0.0.1")
                .env("HUB_COLLECTOR_METRICS_PORT", metrics.to_string())
                .env("HUB_TEMPO_OTLP", backends.endpoint())
                .env("HUB_LOKI_OTLP", backends.endpoint())
                .env("HUB_PROMETHEUS_OTLP", format!("http://127.0.0.1:{prometheus}/api/v1/otlp"))
                .env("ENVIRONMENT", "test"),
        );
        process.wait_until_ready(START, &format!("http://127.0.0.1:{health}/"));
        let url = |port| format!("http://127.0.0.1:{port}");
        Self { process, grpc: url(grpc), http: url(http), metrics }
    }
}

/// The shipped configuration of Prometheus, with targets of the test.
pub(crate) struct Configuration {
    folder: TempDir,
    /// Reserved until Prometheus listens on it, because the Collector starts first and may be slow.
    port: ports::Closed,
}

impl Configuration {
    pub(crate) fn copied(targets: &[(&str, Option<u16>)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shipped = root().join("observability/prometheus");
        fs::copy(shipped.join("prometheus.yml"), folder.path().join("prometheus.yml"))
            .expect("copied");
        for inner in ["rules", "targets", "data"] {
            fs::create_dir(folder.path().join(inner)).expect("a folder");
        }
        for rule in fs::read_dir(shipped.join("rules"))
            .expect("rules")
            .map(|entry| entry.expect("an entry"))
        {
            fs::copy(rule.path(), folder.path().join("rules").join(rule.file_name()))
                .expect("copied");
        }
        let configuration = Self { folder, port: ports::Closed::new() };
        for job in [
            "prometheus",
            "otel-collector",
            "tempo",
            "loki",
            "grafana",
            "alertmanager",
            "orchestration-service",
        ] {
            configuration.target(job, None);
        }
        configuration.target("prometheus", Some(configuration.port()));
        for (job, port) in targets {
            configuration.target(job, *port);
        }
        configuration
    }

    /// Sets the target of a job. Prometheus reloads it automatically.
    pub(crate) fn target(&self, job: &str, port: Option<u16>) {
        let targets =
            port.map(|port| format!("{{targets: ['127.0.0.1:{port}']}}")).unwrap_or_default();
        fs::write(self.folder.path().join(format!("targets/{job}.yml")), format!("[{targets}]\n"))
            .expect("written");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.port()
    }

    pub(crate) fn start(self) -> Prometheus {
        let port = self.port();
        let mut process = Process::spawn(
            command(tool("prometheus"))
                .current_dir(self.folder.path())
                .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
                .args(["--web.enable-otlp-receiver", "--web.enable-remote-write-receiver"])
                .arg("--enable-feature=exemplar-storage")
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .env("ENVIRONMENT", "test"),
        );
        process.wait_until_ready(START, &format!("http://127.0.0.1:{port}/-/ready"));
        Prometheus { process, port, _folder: self.folder }
    }
}

/// The orchestrator.
pub(crate) struct Orchestrator {
    /// Its process.
    pub(crate) process: Process,
    /// URL of the API.
    pub(crate) url: String,
    _folder: TempDir,
}

impl Orchestrator {
    pub(crate) fn start(
        collector: &str,
        way: Way,
        metrics: u16,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("readme.txt"), "nothing secret here\n").expect("written");
        let api = ports::free();
        let mut command = command(binary());
        command
            .current_dir(folder.path())
            .env("HUB_BIND", format!("127.0.0.1:{api}"))
            .env("HUB_DB", folder.path().join("orchestrator.db"))
            .env("HUB_SCAN_ROOT", folder.path())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
            .env("OTEL_BSP_SCHEDULE_DELAY", "500")
            .envs(settings.iter().copied());
        match way {
            Way::Scraped => command.env("OTEL_EXPORTER_PROMETHEUS_PORT", metrics.to_string()),
            Way::Pushed => command.env("OTEL_METRICS_EXPORTER", "otlp"),
        };
        let mut process = Process::spawn(&mut command);
        let url = format!("http://127.0.0.1:{api}");
        process.wait_until_ready(START, &format!("{url}/health/ready"));
        Self { process, url, _folder: folder }
    }
}

/// Returns the path of the orchestrator's binary in the target folder of this test.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this test");
    let target = own.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let path = target.join("orchestrator");
    assert!(path.exists(), "{} does not exist; run cargo build -p orchestrator", path.display());
    path
}
