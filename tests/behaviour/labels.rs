//! Bounded labels, and counters that are exported at zero before the first end.

use hub_otel::testing::capture;
use hub_otel::{Label, LabelValue, agent, current, workflow};

#[tokio::test]
async fn beyond_the_cap_all_label_sets_share_one_counted_series() {
    let capture = capture();
    for number in 0..450 {
        workflow(format!("generated-{number}")).run(async {}).await;
    }
    let metrics = capture.metrics();
    assert_eq!(metrics.value("workflow.runs.total", &[("status", "SUCCESS")]), 400.0);
    assert_eq!(metrics.value("workflow.runs.total", &[("otel.metric.overflow", "true")]), 50.0);
    assert_eq!(metrics.value("workflow.duration", &[("otel.metric.overflow", "true")]), 50.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    assert_eq!(capture.overflowed(), 50);
    let spans = capture.spans();
    let last = spans.iter().last().unwrap();
    assert_eq!(last.text("workflow.id"), "generated-449", "spans keep what the labels lose");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn error_types_and_reasons_are_capped_too() {
    let capture = capture();
    agent("a", "x")
        .run(async {
            for number in 0..80 {
                current().record_retry(format!("reason-{number}"));
            }
        })
        .await;
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.retry.count", &[("otel.metric.overflow", "true")]), 30.0);
    assert_eq!(metrics.value("agent.retry.count", &[]), 80.0);
    assert_eq!(capture.overflowed(), 30);
}

#[tokio::test]
async fn a_label_set_is_exported_at_zero_from_its_first_use() {
    let capture = capture();
    workflow("w")
        .trigger("schedule")
        .run(async {
            for status in ["SUCCESS", "FAILED", "TIMED_OUT"] {
                let line = format!(
                    "workflow.runs.total{{status={status}, trigger_type=schedule, workflow_id=w}} 0\n"
                );
                let table = capture.metrics().table();
                assert!(table.contains(&line), "{table}");
                assert!(!table.contains("CANCELLED") && !table.contains("workflow.duration"), "{table}");
            }
        })
        .await;
}

#[tokio::test]
async fn extra_labels_are_on_the_counter_and_the_duration_only() {
    enum Tier {
        Gold,
    }
    impl Label for Tier {
        fn label(&self) -> LabelValue {
            match self {
                Self::Gold => LabelValue::Text("gold"),
            }
        }
    }
    let capture = capture();
    workflow("w")
        .label("tier", Tier::Gold)
        .label("dry", true)
        .run(async { Err::<(), _>("no") })
        .await
        .unwrap_err();
    insta::assert_snapshot!(capture.metrics().table(), @r"
    workflow.duration{dry=true, status=FAILED, tier=gold, workflow_id=w} count=1
    workflow.errors.total{error_type=str, workflow_id=w} 1
    workflow.runs.total{dry=true, status=FAILED, tier=gold, trigger_type=manual, workflow_id=w} 1
    workflow.runs.total{dry=true, status=SUCCESS, tier=gold, trigger_type=manual, workflow_id=w} 0
    workflow.runs.total{dry=true, status=TIMED_OUT, tier=gold, trigger_type=manual, workflow_id=w} 0
    workflows.active{workflow_id=w} 0
    ");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn the_same_id_under_two_triggers_shares_its_duration_and_gauge() {
    let capture = capture();
    workflow("w").run(async {}).await;
    workflow("w").trigger("event").run(async {}).await;
    let metrics = capture.metrics();
    let durations: Vec<_> =
        metrics.iter().filter(|series| series.name == "workflow.duration").collect();
    assert_eq!(durations.len(), 1);
    assert_eq!(durations[0].value, 2.0);
    assert_eq!(metrics.value("workflow.runs.total", &[("trigger_type", "event")]), 1.0);
}

#[tokio::test]
async fn captures_side_by_side_see_only_their_own() {
    #[hub_otel::instrument_workflow(id = "literal")]
    async fn literal() {}
    let one = capture();
    literal().await;
    {
        let two = capture();
        literal().await;
        literal().await;
        assert_eq!(two.metrics().value("workflow.runs.total", &[]), 2.0);
    }
    literal().await;
    assert_eq!(one.metrics().value("workflow.runs.total", &[]), 2.0);
    assert_eq!(one.spans().len(), 2);
}
