//! A run of the orchestrator in the stores of compose.permissive.yaml: its trace in Jaeger, its log
//! records in VictoriaLogs, its failure from the alert to the cause, and its backup. Run by `just
//! stack-permissive`.

mod backup;
mod perses;
mod pictures;
mod stores;
mod variant;

use crate::api::{Api, text};
use crate::memory;
use crate::prometheus::encoded;
use crate::stack::tool;
use crate::webhook::Chat;
use hub_otel_tests::poll;
use hub_otel_tests::process::command;
use perses::Edition;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};
use variant::Variant;
use xtask::files::root;

const SOON: Duration = Duration::from_secs(180);
const SERVICE: &str = "orchestration-service";

/// Seconds of load before the memory is measured.
const SECONDS: u64 = 60;
/// Criterion of the original plan for the resident memory of all programs, in MB.
const RESIDENT_MB: u64 = 500;

/// Starts a run, and returns its id and the id of its trace.
fn trigger(api: &Api, workflow: &str) -> (String, String) {
    let (status, run) = api.trigger(workflow, "manual", &json!({"repository": "."}));
    assert_eq!(status, 202, "{run}");
    (text(&run["workflowRunId"]), text(&run["traceId"]))
}

/// Waits until a run is found in both stores: its trace by its id, its records by the trace.
fn find(variant: &Variant, run: &str, trace: &str) -> Vec<Value> {
    let traces = poll::until(SOON, || {
        let found = variant.jaeger.find(SERVICE, "workflow.run.id", run);
        let spans = found.first().and_then(|trace| trace["spans"].as_array()).map_or(0, Vec::len);
        // The workflow, its two agents, and the request that triggered it.
        (spans >= 4).then_some(found)
    });
    let ids: BTreeSet<String> = traces.iter().map(|trace| text(&trace["traceID"])).collect();
    assert_eq!(ids, BTreeSet::from([trace.to_owned()]), "one run, one trace");
    let records = poll::until(SOON, || {
        let found = variant.logs.find(&format!("trace_id:={trace}"));
        // The start and the end of the run, and the line of the notifier.
        (found.len() >= 3).then_some(found)
    });
    assert!(records.iter().all(|record| record["trace_id"] == trace), "{records:?}");
    records
}

#[test]
#[ignore = "needs the programs of the permissive variant: just stack-permissive"]
fn a_run_is_found_in_the_permissive_stores_by_its_id_and_its_logs_by_the_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let variant = Variant::start(folder.path(), &Chat::start(), Edition::Shipped);
    let api = Api::new(&variant.orchestrator.url);
    let (run, trace) = trigger(&api, "scan-and-notify");
    let (_, other) = trigger(&api, "scan-and-notify");
    find(&variant, &run, &trace);
    poll::until(SOON, || !variant.logs.find(&format!("trace_id:={other}")).is_empty());
    let streams: BTreeSet<String> =
        variant.logs.find("*").iter().map(|record| text(&record["_stream_id"])).collect();
    assert_eq!(streams.len(), 1, "one service is one stream");
    let pushed = r#"workflow_runs_total{workflow_id="scan-and-notify", status="SUCCESS"}"#;
    poll::until(SOON, || variant.prometheus.instant(pushed).only() == Some(2.0));
    poll::until(SOON, || variant.prometheus.instant("sum(up)").only() == Some(5.0));

    let start = Instant::now();
    for second in 0..SECONDS {
        memory::send(&variant.collector, second);
        let next = start + Duration::from_secs(second + 1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let mut sum = 0;
    eprintln!("resident (VmRSS) after {SECONDS} s of 100 spans/s and 100 log records/s, in MB:");
    for (name, process) in variant.processes() {
        let resident = process.resident_bytes() / 1_000_000;
        eprintln!("| {name} | {resident} |");
        sum += resident;
    }
    eprintln!("| sum | {sum} | limit {RESIDENT_MB} |");
    assert!(sum < RESIDENT_MB, "{sum} MB");
    variant.collector.process.assert_no_warnings("the Collector");
    variant.jaeger.assert_no_warnings();
    variant.logs.process.assert_no_warnings("VictoriaLogs");
}

/// A failure, found from the message about it.
struct Incident {
    /// Text of the message in the chat.
    message: String,
    /// URL of the panel of the alert.
    panel: String,
    /// Id of a trace of the failed workflow.
    trace: String,
    /// Query for the records of the trace.
    query: String,
}

/// Lets runs fail, and follows the links: message, panel, trace, records.
fn follow(variant: &Variant, chat: &Chat) -> Incident {
    let api = Api::new(&variant.orchestrator.url);
    for _ in 0..20 {
        trigger(&api, "test-failure");
    }
    let body = poll::until(SOON, || chat.find(&["Alert: WorkflowFailureRate"]));
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let message = text(&body["attachments"][0]["text"]).replace("&amp;", "&");

    let project = format!("{}/projects/commandcenter", variant.perses.url);
    let panel = message.split_whitespace().find(|word| word.contains(&project));
    let panel = panel.expect("a link to a panel").to_owned();
    let wanted = format!("{project}/dashboards/alerts?");
    assert!(panel.contains(&wanted), "{panel}");
    let (_, shown) = panel.split_once("%22ref%22%3A%22").expect("a panel");
    let (shown, service) = shown.split_once("%22%7D&var-service=").expect("a service");
    assert_eq!(service, SERVICE);
    let shown = variant.perses.dashboard("alerts")["spec"]["panels"][shown].clone();
    assert_eq!(shown["spec"]["display"]["name"], "WorkflowFailureRate");
    let traces = variant.perses.link(&shown, "Traces", service);
    let (_, parameters) = traces.split_once("/search?").expect("a search");
    let found = poll::until(SOON, || {
        variant.jaeger.search(parameters).into_iter().find(|trace| {
            let spans = trace["spans"].as_array().expect("spans");
            spans.iter().any(|span| {
                let tags = span["tags"].as_array().expect("tags");
                tags.iter().any(|tag| tag["key"] == "workflow.id" && tag["value"] == "test-failure")
            })
        })
    });
    let trace = text(&found["traceID"]);

    let records = variant.perses.link(&shown, "Log records", service);
    let (_, query) = records.split_once("/select/vmui/?#/?query=").expect("a query");
    let query = format!("{query}%20AND%20trace_id%3A%3D{trace}");
    poll::until(SOON, || {
        let records = variant.logs.search(&query);
        records.iter().any(|record| record["severity_text"] == "ERROR")
    });
    Incident { message, panel, trace, query }
}

#[test]
#[ignore = "needs the programs of the permissive variant: just stack-permissive"]
fn the_permissive_links_lead_from_the_message_to_the_panel_the_trace_and_the_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let chat = Chat::start();
    let variant = Variant::start(folder.path(), &chat, Edition::Shipped);
    let incident = follow(&variant, &chat);
    eprintln!("{}\ntrace {}, records {}", incident.message, incident.trace, incident.query);
    assert!(incident.message.contains("https://runbooks.example/workflow-failure-rate.md"));
    assert!(incident.panel.contains("&var-service="));
    // The data source of Perses reaches Prometheus.
    let failed = encoded(r#"sum(workflow_runs_total{workflow_id="test-failure"}) >= 20"#);
    let proxy = "/proxy/globaldatasources/prometheus/api/v1/query?query=";
    poll::until(SOON, || {
        let answer = variant.perses.get(&format!("{proxy}{failed}"));
        answer["data"]["result"].as_array().is_some_and(|found| found.len() == 1)
    });
    variant.perses.process.assert_no_warnings("Perses");
}

#[test]
#[ignore = "needs percli: just stack-permissive"]
fn percli_accepts_each_dashboard_and_rejects_an_unknown_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    // percli writes a list into the folder of the plugins.
    let lint = |text: &str| {
        let file = folder.path().join("board.json");
        fs::write(&file, text).expect("written");
        let output = command(tool("percli"))
            .args(["lint", "--plugin.path"])
            .arg(tool("perses-plugins"))
            .arg("-f")
            .arg(&file)
            .env("HOME", folder.path())
            .output()
            .expect("percli runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    };
    let mut boards = 0;
    for entry in fs::read_dir(root().join("observability/perses/dashboards")).expect("dashboards") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a dashboard");
        let (accepted, output) = lint(&text);
        assert!(accepted && !output.contains("level=error"), "{}: {output}", path.display());
        let wrong = text.replace("\"unit\": \"", "\"unit\": \"no-");
        assert!(!lint(&wrong).0, "{}: an unknown unit is accepted", path.display());
        boards += 1;
    }
    assert_eq!(boards, 7);
}
