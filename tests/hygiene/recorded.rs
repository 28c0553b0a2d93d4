//! Spans and metrics that each argument and each function shape produce.

use hub_otel::{Label, TimedOut, UnitStatus, instrument_agent, instrument_workflow, testing};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

#[derive(Clone, Copy, Label)]
enum Region {
    EuWest,
}

#[instrument_workflow(
    id = id, name = Some("Everything"), run_id = 7_u64, trigger = format!("{id}-trigger"),
    fields(size = list.len(), %id, list = ?list, absent = None::<u8>, "dotted.key" = 1.5),
    labels(region, urgent = true),
    ret(|sum| sum = *sum),
    span_name = "everything", kind = consumer, root,
)]
async fn everything(id: &str, list: Vec<u8>, region: Region) -> Result<u64, String> {
    Ok(list.iter().copied().map(u64::from).sum())
}

#[tokio::test]
async fn every_argument_is_recorded_in_the_span_and_the_labels() {
    let capture = testing::capture();
    assert_eq!(everything("nightly", vec![1, 2], Region::EuWest).await, Ok(3));
    insta::assert_snapshot!(capture.spans().tree(), @r"
    everything (Consumer) Ok
      - dotted.key=1.5
      - id=nightly
      - list=[1, 2]
      - size=2
      - sum=3
      - workflow.duration.ms=…
      - workflow.id=nightly
      - workflow.name=Everything
      - workflow.run.id=7
      - workflow.status=SUCCESS
      - workflow.trigger=nightly-trigger
    ");
    let metrics = capture.metrics().table().to_string();
    let series = "workflow.runs.total{region=eu_west, status=SUCCESS, trigger_type=nightly-trigger, urgent=true, \
                  workflow_id=nightly} 1";
    assert!(metrics.contains(series), "{metrics}");
}

/// One function for each shape that the attribute wraps. Each has a run-time identity and fails.
mod shapes {
    use super::{Duration, Future, Pin, TimedOut, instrument_agent};

    pub(super) type Answer = Result<(), String>;

    #[instrument_agent(id = id, action = "run", fields(id))]
    pub(super) async fn lowered(id: &str) -> Answer {
        Err(id.to_owned())
    }

    #[instrument_agent(id = id, action = "run", fields(id), keep_async)]
    pub(super) async fn kept(id: &str) -> Answer {
        Err(id.to_owned())
    }

    #[instrument_agent(id = id, action = "run", fields(id), boxed)]
    pub(super) async fn boxed(id: &str) -> Answer {
        Err(id.to_owned())
    }

    #[instrument_agent(id = id, action = "run", fields(id))]
    pub(super) fn opaque(id: &str) -> impl Future<Output = Answer> {
        let id = id.to_owned();
        async move { Err(id) }
    }

    #[instrument_agent(id = id, action = "run", fields(id))]
    pub(super) fn returned<'a>(id: &'a str) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move { Err(id.to_owned()) })
    }

    #[instrument_agent(id = id, action = "run", fields(id))]
    pub(super) fn synchronous(id: &str) -> Answer {
        Err(id.to_owned())
    }

    #[async_trait::async_trait]
    pub(super) trait Agent {
        async fn run(&self) -> Answer;
    }

    pub(super) struct Traited(pub(super) &'static str);

    #[async_trait::async_trait]
    impl Agent for Traited {
        #[instrument_agent(id = self.0, action = "run", fields(id = self.0))]
        async fn run(&self) -> Answer {
            Err(self.0.to_owned())
        }
    }

    #[instrument_agent(id = "slow", action = "run", timeout = Duration::from_millis(2))]
    pub(super) async fn slow() -> Result<(), TimedOut> {
        std::future::pending().await
    }

    #[instrument_agent(id = "slow", action = "run", timeout = Duration::from_millis(2))]
    pub(super) fn slow_returned() -> Pin<Box<dyn Future<Output = Result<(), TimedOut>> + Send>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn every_shape_is_recorded_alike() {
    use shapes::{Agent, Traited};
    let capture = testing::capture();
    let answers = [
        shapes::lowered("a").await,
        shapes::kept("a").await,
        shapes::boxed("a").await,
        shapes::opaque("a").await,
        shapes::returned("a").await,
        shapes::synchronous("a"),
        Traited("a").run().await,
    ];
    assert!(answers.iter().all(|answer| *answer == Err("a".to_owned())));
    let spans = capture.spans();
    let agents: Vec<_> = spans
        .named("agent.execute")
        .into_iter()
        .map(|agent| testing::Spans::from_iter([agent.clone()]).tree())
        .collect();
    assert_eq!(agents.len(), 7, "{}", spans.tree());
    assert!(
        agents
            .iter()
            .all(|agent| *agent == agents[0] && agent.contains("id=a") && agent.contains("FAILED")),
        "{}",
        spans.tree()
    );
    let metrics = capture.metrics().table().to_string();
    assert!(
        metrics.contains("agent.runs.total{action=run, agent_id=a, status=FAILED} 7"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_timeout_ends_the_unit_timed_out_in_every_shape() {
    let capture = testing::capture();
    assert!(shapes::slow().await.is_err());
    assert!(shapes::slow_returned().await.is_err());
    let metrics = capture.metrics().table().to_string();
    assert!(
        metrics.contains("agent.runs.total{action=run, agent_id=slow, status=TIMED_OUT} 2"),
        "{metrics}"
    );
}

/// Outcomes by `status`, `err` and `none`.
mod meanings {
    use super::{UnitStatus, instrument_workflow};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the macro hands over a reference")]
    pub(super) fn status_of(value: &u8) -> UnitStatus {
        if *value == 0 { UnitStatus::Rejected } else { UnitStatus::Success }
    }

    fn is_missing(error: &String) -> bool {
        error == "missing"
    }

    #[instrument_workflow(status = status_of)]
    pub(super) async fn rejected(value: u8) -> u8 {
        value
    }

    #[instrument_workflow(err(expected = is_missing))]
    pub(super) async fn missing(error: &str) -> Result<(), String> {
        Err(error.to_owned())
    }

    #[instrument_workflow(none = error)]
    pub(super) async fn nothing() -> Option<u8> {
        None
    }

    #[instrument_workflow(enabled = on, fields(on))]
    pub(super) async fn switched(on: bool) {}
}

#[tokio::test]
async fn status_err_and_none_decide_the_outcome() {
    let capture = testing::capture();
    meanings::rejected(0).await;
    let _ = meanings::missing("missing").await;
    let _ = meanings::missing("broken").await;
    meanings::nothing().await;
    meanings::switched(false).await;
    meanings::switched(true).await;
    let metrics = capture.metrics().table().to_string();
    for (id, status, count) in [
        ("rejected", "REJECTED", 1),
        ("missing", "SUCCESS", 1),
        ("missing", "FAILED", 1),
        ("nothing", "FAILED", 1),
        ("switched", "SUCCESS", 1),
    ] {
        let series = format!(
            "workflow.runs.total{{status={status}, trigger_type=manual, workflow_id={id}}} {count}"
        );
        assert!(metrics.contains(&series), "{series}\n{metrics}");
    }
}

#[tokio::test]
async fn an_expected_error_is_recorded_but_is_no_failure() {
    let capture = testing::capture();
    assert!(meanings::missing("missing").await.is_err());
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Unset
      - hub_otel.expected_error=true
      - workflow.duration.ms=…
      - workflow.id=missing
      - workflow.name=missing
      - workflow.run.id=…
      - workflow.status=SUCCESS
      - workflow.trigger=manual
    ");
    assert_eq!(capture.metrics().value("workflow.errors.total", &[]), 0.0);
    capture.conformance().unwrap();
}
