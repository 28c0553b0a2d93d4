//! Facts recorded while a unit runs.

use hub_otel::testing::{Settings, capture};
use hub_otel::{current, instrument_agent, instrument_workflow};
use std::time::Duration;

#[tokio::test]
async fn attributes_and_events_arrive_late_and_the_last_value_stays() {
    #[instrument_agent(id = "a", action = "x", run_id = "r", fields(plan = "none"))]
    async fn agent() {
        current().record("plan", "first").record("tokens", 7_u64).record("plan", "second");
        current().add_event("cache", [("hit", true)]);
        opentelemetry::trace::get_active_span(|span| {
            span.set_attribute(hub_otel::otel::kv("tokens", 8))
        });
    }
    let capture = Settings::new().allow_root_agents().capture();
    agent().await;
    insta::assert_snapshot!(capture.spans().tree(), @r"
    agent.execute Ok
      - agent.action=x
      - agent.duration.ms=…
      - agent.id=a
      - agent.run.id=r
      - agent.status=SUCCESS
      - plan=second
      - tokens=8
      * cache
        - hit=true
    ");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn retries_are_counted_and_recorded_on_the_span() {
    #[instrument_agent(id = "a", action = "x", run_id = "r")]
    async fn agent() {
        current().record_retry("rate_limited");
        current().record_retry_after("rate_limited", Duration::from_millis(250));
        current().record_retry("unreachable");
    }
    let capture = Settings::new().allow_root_agents().capture();
    agent().await;
    insta::assert_snapshot!(capture.spans().tree(), @r"
    agent.execute Ok
      - agent.action=x
      - agent.duration.ms=…
      - agent.id=a
      - agent.retry.count=3
      - agent.run.id=r
      - agent.status=SUCCESS
      * agent.retry
        - agent.retry.attempt=1
        - agent.retry.reason=rate_limited
      * agent.retry
        - agent.retry.attempt=2
        - agent.retry.delay.ms=250
        - agent.retry.reason=rate_limited
      * agent.retry
        - agent.retry.attempt=3
        - agent.retry.reason=unreachable
    ");
    let metrics = capture.metrics();
    assert_eq!(
        metrics.value("agent.retry.count", &[("agent_id", "a"), ("reason", "rate_limited")]),
        2.0
    );
    assert_eq!(metrics.value("agent.retry.count", &[("reason", "unreachable")]), 1.0);
    assert_eq!(metrics.value("agent.runs.total", &[]), 1.0, "one logical execution");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_unit_marked_as_failed_fails_whatever_it_returns() {
    #[instrument_agent(id = "a", action = "x", run_id = "r")]
    async fn agent() -> Result<(), std::io::Error> {
        current().set_failed("bad_answer");
        Ok(())
    }
    let capture = Settings::new().allow_root_agents().capture();
    agent().await.unwrap();
    let metrics = capture.metrics();
    assert_eq!(
        metrics.value("agent.errors.total", &[("agent_id", "a"), ("error_type", "bad_answer")]),
        1.0
    );
    assert_eq!(metrics.value("agent.runs.total", &[("status", "FAILED")]), 1.0);
    assert_eq!(capture.spans().iter().next().unwrap().text("error.type"), "bad_answer");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn an_identity_that_arrives_late_moves_the_unit() {
    #[instrument_workflow(run_id = "run")]
    async fn workflow(capture: &hub_otel::testing::Capture) {
        assert_eq!(
            capture.metrics().value("workflows.active", &[("workflow_id", "workflow")]),
            1.0
        );
        current().set_workflow("nightly", "Nightly sync", "schedule");
        assert_eq!(
            capture.metrics().value("workflows.active", &[("workflow_id", "workflow")]),
            0.0
        );
        assert_eq!(capture.metrics().value("workflows.active", &[("workflow_id", "nightly")]), 1.0);
        hub_otel::agent("a", "x").run(async {}).await;
    }
    let capture = capture();
    workflow(&capture).await;
    let spans = capture.spans();
    let workflow = spans.named("workflow.execute")[0];
    assert_eq!(workflow.text("workflow.id"), "nightly");
    assert_eq!(workflow.text("workflow.name"), "Nightly sync");
    assert_eq!(workflow.text("workflow.trigger"), "schedule");
    assert_eq!(spans.named("agent.execute")[0].text("workflow.id"), "nightly");
    let metrics = capture.metrics();
    assert_eq!(
        metrics.value(
            "workflow.runs.total",
            &[("workflow_id", "nightly"), ("trigger_type", "schedule")]
        ),
        1.0
    );
    assert_eq!(metrics.value("workflow.runs.total", &[("workflow_id", "workflow")]), 0.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn late_facts_of_unsampled_units_are_counted() {
    #[instrument_workflow(id = "w")]
    async fn workflow() {
        hub_otel::agent("a", "x")
            .run(async {
                current().record_retry("rate_limited").set_failed("bad_answer").record("a", 1);
            })
            .await;
        current().set_workflow("other", None, None);
    }
    let capture = Settings::new().unsampled().capture();
    workflow().await;
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.retry.count", &[("reason", "rate_limited")]), 1.0);
    assert_eq!(metrics.value("agent.errors.total", &[("error_type", "bad_answer")]), 1.0);
    assert_eq!(metrics.value("workflow.runs.total", &[("workflow_id", "other")]), 1.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    capture.conformance().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_identifies_an_unsampled_workflow_from_a_task_without_telemetry() {
    let capture = Settings::new().unsampled().capture();
    capture
        .run(hub_otel::workflow("w").run_with(
            async {
                let unit = current();
                tokio::spawn(async move {
                    unit.set_workflow("other", "Other", "event");
                })
                .await
                .unwrap();
            },
            |(), _| {},
        ))
        .await;
    let metrics = capture.metrics();
    let identified = [("workflow_id", "other"), ("trigger_type", "event")];
    assert_eq!(metrics.value("workflow.runs.total", &identified), 1.0);
    assert_eq!(metrics.value("workflow.runs.total", &[("workflow_id", "w")]), 0.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    capture.conformance().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_works_on_another_thread_until_its_unit_ends() {
    let capture = capture();
    let unit = capture
        .run(hub_otel::agent("a", "x").run_with(
            async {
                let unit = current();
                let elsewhere = unit.clone();
                tokio::spawn(async move {
                    elsewhere.record_retry("remote");
                })
                .await
                .unwrap();
                unit
            },
            |_, _| {},
        ))
        .await;
    unit.record_retry("too_late").set_failed("too_late").record("late", true);
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.retry.count", &[("reason", "remote")]), 1.0);
    assert_eq!(metrics.value("agent.retry.count", &[("reason", "too_late")]), 0.0);
    assert_eq!(metrics.value("agent.errors.total", &[]), 0.0);
}

#[tokio::test]
async fn outside_any_unit_a_handle_does_nothing() {
    let capture = capture();
    current().record("a", 1).record_retry("b").set_failed("c").set_timed_out().suspend("d");
    assert_eq!(current().segment(), None);
    assert!(!current().is_recording());
    assert_eq!(capture.metrics().table(), "");
}

#[tokio::test]
async fn a_capture_has_the_gen_ai_attributes_on_request() {
    let plain = capture();
    hub_otel::agent("a", "x").run(async {}).await;
    assert!(!plain.spans().tree().contains("gen_ai"));
    drop(plain);
    let enabled = Settings::new().gen_ai().capture();
    hub_otel::agent("a", "x").name("Planner").run(async {}).await;
    let spans = enabled.spans();
    let agent = spans.iter().next().unwrap();
    assert_eq!(agent.text("gen_ai.operation.name"), "invoke_agent");
    assert_eq!(agent.text("gen_ai.agent.name"), "Planner");
}
