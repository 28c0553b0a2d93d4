//! All programs of compose.permissive.yaml, with their data in one folder per volume.

use super::perses::{Addresses, Edition, Perses};
use super::stores::{Jaeger, VictoriaLogs};
use crate::alerts::{TOKEN, start_alertmanager};
use crate::prometheus::Prometheus;
use crate::stack::{Collector, Configuration, Orchestrator, Way};
use crate::webhook::Chat;
use hub_otel_tests::ports;
use hub_otel_tests::process::Process;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The running programs.
pub(crate) struct Variant {
    pub(crate) jaeger: Jaeger,
    pub(crate) logs: VictoriaLogs,
    pub(crate) collector: Collector,
    pub(crate) prometheus: Prometheus,
    pub(crate) alertmanager: Process,
    pub(crate) perses: Perses,
    pub(crate) orchestrator: Orchestrator,
    _alertmanager: TempDir,
}

impl Variant {
    /// Starts all of them. The orchestrator pushes its metrics and delivers alerts to the chat.
    pub(crate) fn start(volumes: &Path, chat: &Chat, edition: Edition) -> Self {
        let volume = |name: &str| {
            let folder = volumes.join(name);
            fs::create_dir_all(&folder).expect("a folder");
            folder
        };
        let jaeger = Jaeger::start(&volume("jaeger-data"));
        let logs = VictoriaLogs::start(&volume("victorialogs-data"));
        let perses = ports::free();
        let configuration = Configuration::copied(&[
            ("jaeger", Some(jaeger.metrics)),
            ("victorialogs", Some(logs.port)),
        ])
        .stored_in(&volume("prometheus-data"))
        .with_dashboards(&Perses::project(perses));
        let records = format!("{}/insert/opentelemetry", logs.url);
        let collector = Collector::before(&jaeger.otlp, &records, configuration.port());
        configuration.target("otel-collector", Some(collector.metrics));
        let database = volume("orchestrator-data").join("orchestrator.db");
        let (url, host) = (chat.url(), chat.host());
        let settings = [
            ("HUB_DB", database.to_str().expect("a path")),
            ("HUB_WEBHOOK_TOKEN", TOKEN),
            ("SLACK_WEBHOOK_URL", &url),
            ("HUB_NOTIFY_ALLOW_HOST", &host),
            ("HUB_NOTIFY_ALLOW_PRIVATE", "true"),
        ];
        let orchestrator =
            Orchestrator::start(&collector.grpc, Way::Pushed, ports::free(), &settings);
        let webhook = format!("{}/api/webhooks/grafana", orchestrator.url);
        let (folder, alertmanager, port) = start_alertmanager(&webhook, "");
        configuration.target("alertmanager", Some(port));
        let prometheus = configuration.start();
        let addresses = Addresses {
            port: perses,
            prometheus: &format!("http://127.0.0.1:{}", prometheus.port),
            traces: &jaeger.query,
            logs: &logs.url,
        };
        let perses = Perses::start(&volume("perses-data"), edition, &addresses);
        Self {
            jaeger,
            logs,
            collector,
            prometheus,
            alertmanager,
            perses,
            orchestrator,
            _alertmanager: folder,
        }
    }

    /// Returns the programs of the stack by name, without the orchestrator.
    pub(crate) fn processes(&self) -> [(&'static str, &Process); 6] {
        [
            ("Collector", &self.collector.process),
            ("Jaeger", &self.jaeger.process),
            ("VictoriaLogs", &self.logs.process),
            ("Prometheus", &self.prometheus.process),
            ("Alertmanager", &self.alertmanager),
            ("Perses", &self.perses.process),
        ]
    }

    /// Ends all of them by SIGTERM, the service first, so that nothing is lost.
    pub(crate) fn stop(self) {
        let Self {
            jaeger, logs, collector, prometheus, alertmanager, perses, orchestrator, ..
        } = self;
        let ordered = [
            orchestrator.process,
            collector.process,
            jaeger.process,
            logs.process,
            prometheus.process,
            alertmanager,
            perses.process,
        ];
        for mut process in ordered {
            process.terminate();
            process.exit(crate::stack::START);
        }
    }
}
