//! Declared units: their counters are exported with value 0 before anything runs.

use hub_otel_tests::scrape::Scrape;

#[test]
fn declared_units_are_exported_at_zero_and_no_others() {
    let telemetry = crate::scraped("declared");
    telemetry.declare_workflow("nightly", ["schedule", "manual"]);
    telemetry.declare_agent("scanner", "scan");
    let url = format!("http://{}/metrics", telemetry.metrics_addr().unwrap());
    let own = ["workflow_id", "agent_id", "trigger_type", "action", "status"];
    let mut series: Vec<String> = Scrape::of(url)
        .samples
        .iter()
        .filter(|sample| sample.name.starts_with("workflow") || sample.name.starts_with("agent"))
        .map(|sample| {
            let labels = sample.labels.iter().filter(|(key, _)| own.contains(&key.as_str()));
            let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
            format!("{}{{{}}} {}", sample.name, labels.join(", "), sample.value)
        })
        .collect();
    series.sort_unstable();
    insta::assert_snapshot!(series.join("\n"), @r"
    agent_runs_total{action=scan, agent_id=scanner, status=FAILED} 0
    agent_runs_total{action=scan, agent_id=scanner, status=SUCCESS} 0
    agent_runs_total{action=scan, agent_id=scanner, status=TIMED_OUT} 0
    workflow_runs_total{status=FAILED, trigger_type=manual, workflow_id=nightly} 0
    workflow_runs_total{status=FAILED, trigger_type=schedule, workflow_id=nightly} 0
    workflow_runs_total{status=SUCCESS, trigger_type=manual, workflow_id=nightly} 0
    workflow_runs_total{status=SUCCESS, trigger_type=schedule, workflow_id=nightly} 0
    workflow_runs_total{status=TIMED_OUT, trigger_type=manual, workflow_id=nightly} 0
    workflow_runs_total{status=TIMED_OUT, trigger_type=schedule, workflow_id=nightly} 0
    ");
    drop(telemetry);
}
