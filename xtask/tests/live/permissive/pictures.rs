//! The pictures of docs/images that show the stack: `just stack-pictures`.
//!
//! The dashboards, and a failure from the message to its cause, after some minutes of load. The
//! pages are those of Perses and of the live view.

use super::{Incident, SOON, follow};
use crate::api::{Api, text};
use crate::load::{self, Load};
use crate::permissive::perses::Edition;
use crate::permissive::variant::Variant;
use crate::stack::binary;
use crate::webhook::Chat;
use hub_otel_tests::browser::Browser;
use hub_otel_tests::poll;
use hub_otel_tests::process::command;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xtask::files::root;

/// Duration of the load.
const LOAD: Duration = Duration::from_secs(200);
/// Largest picture.
const MAX_BYTES: usize = 150_000;

/// Dashboards, and the height of the page that shows their first panels.
const DASHBOARDS: [(&str, u32); 7] = [
    ("workflow-overview", 1000),
    ("agent-performance", 1000),
    ("system-health", 1000),
    ("cost-tracking", 1000),
    ("llm", 1000),
    ("slo", 1000),
    ("alerts", 1000),
];

/// Runs the assistant once, which calls the models of a scripted server.
fn call_models(collector: &str) {
    let status = command(binary("assistant"))
        .args(["--otlp", "--yes"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        .env("OTEL_METRICS_EXPORTER", "otlp")
        .output()
        .expect("the assistant runs")
        .status;
    assert!(status.success());
}

fn load(variant: &Variant) {
    let api = Api::new(&variant.orchestrator.url);
    load::prepare(&api);
    let load = Load::start(&api);
    let start = Instant::now();
    while start.elapsed() < LOAD {
        call_models(&variant.collector.grpc);
        let rounds = load.rounds();
        std::thread::sleep(Duration::from_secs(8));
        assert!(load.rounds() >= rounds);
    }
    load.stop();
}

struct Pictures {
    browser: Browser,
    folder: PathBuf,
}

impl Pictures {
    /// Opens a page, waits for a condition, and writes the picture.
    async fn take(&self, name: &str, url: &str, (width, height): (u32, u32), ready: &str) {
        self.browser.emulate(width, height, "light").await;
        self.browser.page.goto(url).await.expect("the page");
        self.browser.wait(ready).await;
        // Charts grow to their values.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let picture = self.browser.screenshot().await;
        let path = self.folder.join(format!("{name}.png"));
        eprintln!("{name}: {} bytes, {url}", picture.len());
        fs::write(path, &picture).expect("written");
    }
}

/// The panels in view are drawn, and none has failed.
const DRAWN: &str = "const shown = (selector) => [...document.querySelectorAll(selector)]
        .filter((element) => element.getBoundingClientRect().top < innerHeight);
    return shown('canvas').length > 0
        && shown('[role=progressbar], [class*=MuiSkeleton], [class*=MuiAlert]').length === 0;";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the pictures of the documentation: just stack-pictures"]
async fn pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let chat = Chat::start();
    let browser = Browser::start(1280, 1000).await.expect("a browser");
    let variant = Variant::start(folder.path(), &chat, Edition::WithPage);
    load(&variant);
    let Incident { message, panel, trace, query } = follow(&variant, &chat);
    eprintln!("{message}");
    let failures = r#"sum(sum_over_time(workflow:runs:increase1m{status="FAILED"}[5m])) > 20"#;
    poll::until(SOON, || variant.prometheus.instant(failures).only().is_some());

    let pictures = Pictures { browser, folder: root().join("docs/images") };
    let project = format!("{}/projects/commandcenter/dashboards", variant.perses.url);
    for (name, height) in DASHBOARDS {
        let url = format!("{project}/{name}?start=15m");
        pictures.take(&format!("stack-{name}"), &url, (1280, height), DRAWN).await;
    }
    let panel = panel.replace("start=3h", "start=15m");
    pictures.take("cause-1-panel", &panel, (1280, 620), DRAWN).await;
    let api = Api::new(&variant.orchestrator.url);
    let runs = api.runs("test-failure");
    let run = runs.iter().find(|run| run["traceId"] == trace.as_str()).expect("the run");
    let url = format!("{}/#/runs/{}", variant.orchestrator.url, text(&run["id"]));
    let shown = "const line = [...document.querySelectorAll('.line')]
            .find((line) => line.textContent.includes('fault · fail'));
        line?.click();
        return document.body.innerText.includes('injected by the action');";
    pictures.take("cause-2-trace", &url, (1280, 620), shown).await;
    let url = format!("{}/select/vmui/?#/?query={query}", variant.logs.url);
    // The fields of the record that reports the failure, once it is opened.
    let shown = "const record = [...document.querySelectorAll('[class*=group-logs-row-content]')]
            .find((row) => row.textContent.includes('workflow.run.ended'));
        if (record && !window.isOpened) { window.isOpened = true; record.click(); }
        return record !== undefined;";
    pictures.take("cause-3-logs", &url, (1280, 620), shown).await;
    pictures.browser.close().await;

    let large = fs::read_dir(&pictures.folder).expect("pictures").filter_map(|entry| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.starts_with("stack-") || name.starts_with("cause-");
        (ours && entry.metadata().expect("a size").len() > MAX_BYTES as u64).then_some(name)
    });
    assert_eq!(large.collect::<Vec<_>>(), Vec::<String>::new());
}
