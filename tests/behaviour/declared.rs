//! Counters that alerts read stand at zero before anything runs.

#[tokio::test]
async fn what_is_declared_is_scraped_at_zero_and_nothing_else_is() {
    let telemetry = crate::scraped("declared");
    telemetry.declare_workflow("nightly", ["schedule", "manual"]);
    telemetry.declare_agent("scanner", "scan");
    let url = format!("http://{}/metrics", telemetry.metrics_addr().unwrap());
    let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
    let mut series: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("workflow") || line.starts_with("agent"))
        .map(|line| {
            let (labels, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = labels.split_once('{').unwrap();
            let own = ["workflow_id=", "agent_id=", "trigger_type=", "action=", "status="];
            let labels = labels.trim_end_matches('}').split(',');
            let mut labels: Vec<_> =
                labels.filter(|label| own.iter().any(|own| label.starts_with(own))).collect();
            labels.sort_unstable();
            format!("{name} {} {value}", labels.join(" ").replace('"', ""))
        })
        .collect();
    series.sort();
    assert_eq!(
        series,
        [
            "agent_runs_total action=scan agent_id=scanner status=FAILED 0",
            "agent_runs_total action=scan agent_id=scanner status=SUCCESS 0",
            "agent_runs_total action=scan agent_id=scanner status=TIMED_OUT 0",
            "workflow_runs_total status=FAILED trigger_type=manual workflow_id=nightly 0",
            "workflow_runs_total status=FAILED trigger_type=schedule workflow_id=nightly 0",
            "workflow_runs_total status=SUCCESS trigger_type=manual workflow_id=nightly 0",
            "workflow_runs_total status=SUCCESS trigger_type=schedule workflow_id=nightly 0",
            "workflow_runs_total status=TIMED_OUT trigger_type=manual workflow_id=nightly 0",
            "workflow_runs_total status=TIMED_OUT trigger_type=schedule workflow_id=nightly 0",
        ]
    );
    drop(telemetry);
}
