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
        Self::before(&backends.endpoint(), &backends.endpoint(), prometheus)
    }

    /// Starts it before stores of traces and of logs.
    pub(crate) fn before(traces: &str, logs: &str, prometheus: u16) -> Self {
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
                .env("HUB_TEMPO_OTLP", traces)
                .env("HUB_LOKI_OTLP", logs)
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
    /// Folder of the metrics.
    data: PathBuf,
    /// Base address of the dashboards in messages.
    dashboards: String,
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
        let data = folder.path().join("data");
        let dashboards = "https://grafana.example".to_owned();
        let configuration = Self { folder, port: ports::Closed::new(), data, dashboards };
        scrape_jobs().iter().for_each(|job| configuration.target(job, None));
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

    /// Folder of the metrics.
    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Sets the folder of the metrics.
    pub(crate) fn stored_in(mut self, data: &Path) -> Self {
        data.clone_into(&mut self.data);
        self
    }

    /// Sets the base address of the dashboards in messages.
    pub(crate) fn with_dashboards(mut self, url: &str) -> Self {
        url.clone_into(&mut self.dashboards);
        self
    }

    pub(crate) fn start(self) -> Prometheus {
        let port = self.port();
        let mut process = Process::spawn(
            command(tool("prometheus"))
                .current_dir(self.folder.path())
                .arg("--config.file=prometheus.yml")
                .arg(format!("--storage.tsdb.path={}", self.data.display()))
                .args(["--web.enable-otlp-receiver", "--web.enable-remote-write-receiver"])
                .arg("--enable-feature=exemplar-storage")
                .args(shipped("command").filter(|flag| flag.starts_with("--query.")))
                .env("GOMEMLIMIT", shipped("GOMEMLIMIT").next().expect("a limit"))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .env("ENVIRONMENT", "test")
                .env("RUNBOOK_URL", "https://runbooks.example")
                .env("GRAFANA_URL", &self.dashboards),
        );
        process.wait_until_ready(START, &format!("http://127.0.0.1:{port}/-/ready"));
        Prometheus { process, port, _folder: self.folder }
    }
}

/// Returns the names of the jobs in prometheus.yml.
fn scrape_jobs() -> Vec<String> {
    let path = root().join("observability/prometheus/prometheus.yml");
    let text = fs::read_to_string(path).expect("prometheus.yml");
    let file: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).expect("YAML");
    let jobs = file["scrape_configs"].as_sequence().expect("a list");
    jobs.iter().map(|job| job["job_name"].as_str().expect("a name").to_owned()).collect()
}

/// Returns a setting of Prometheus in compose.yaml: its flags, or the value of a variable.
fn shipped(name: &str) -> impl Iterator<Item = String> {
    let text = fs::read_to_string(root().join("observability/compose.yaml")).expect("compose.yaml");
    let file: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).expect("YAML");
    let prometheus = &file["services"]["prometheus"];
    let values: Vec<String> = match prometheus[name].as_sequence() {
        Some(values) => values.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect(),
        None => prometheus["environment"][name].as_str().map(str::to_owned).into_iter().collect(),
    };
    values.into_iter()
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
        let mut command = command(binary("orchestrator"));
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

/// Returns the path of a binary of the workspace in the target folder of this test.
pub(crate) fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this test");
    let target = own.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let path = target.join(name);
    assert!(path.exists(), "{} does not exist; run cargo build -p {name}", path.display());
    path
}
