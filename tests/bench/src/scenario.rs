//! Measured scenarios, by name.

use crate::by_hand::{ByHand, Metrics};
use crate::{WorkError, by_hub, by_tracing, ready, sdk, work};
use hub_otel::testing::bench;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// All scenarios. `hub.*` use this library. `plain` is the same call without telemetry, which is
/// the overhead of the measurement.
pub const ALL: &[&str] = &[
    "hub.workflow",
    "hub.workflow.error",
    "hub.agent",
    "hub.agent.error",
    "hub.workflow.unsampled",
    "hub.agent.unsampled",
    "hub.workflow.disabled",
    "hub.workflow.labels",
    "hub.agent.labels",
    "hub.workflow.subscriber",
    "hand.workflow",
    "hand.workflow.error",
    "hand.agent",
    "hand.agent.error",
    "tracing.workflow",
    "tracing.workflow.error",
    "tracing.agent",
    "tracing.agent.error",
    "plain.workflow",
];

async fn plain(_attempt: i64, fails: bool) -> Result<u32, WorkError> {
    work(fails).await
}

const IDS: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];

/// Reports whether the sampler of the scenario records spans.
pub fn is_sampled(name: &str) -> bool {
    !name.ends_with("unsampled")
}

/// Prepares a scenario for a measurement. Each call of the returned closure runs one unit.
pub fn prepare(name: &str) -> Box<dyn FnMut(usize)> {
    prepare_into(
        name,
        &sdk::traces(is_sampled(name), sdk::Discard),
        &sdk::metrics(sdk::Reader::default()),
    )
}

/// Prepares a scenario that records with the given providers.
pub fn prepare_into(
    name: &str,
    traces: &SdkTracerProvider,
    metrics: &SdkMeterProvider,
) -> Box<dyn FnMut(usize)> {
    let sampled = is_sampled(name);
    let fails = name.ends_with("error");
    let (traces, metrics) = (traces.clone(), metrics.clone());
    let hub = || {
        if !name.ends_with("disabled") {
            bench::install(&traces, &metrics, sampled);
        }
        // Providers must exist until the end of the program.
        std::mem::forget((traces.clone(), metrics.clone()));
    };
    let subscriber = |traces| {
        tracing::dispatcher::set_global_default(by_tracing::dispatch(traces))
            .expect("one scenario per process");
    };
    let attempt = |n: usize| i64::try_from(n).unwrap_or(0);
    match name.split_once('.').expect("peer.scenario") {
        ("hub", "workflow.subscriber") => {
            hub();
            subscriber(&traces);
            Box::new(move |n| drop(ready(by_hub::workflow(attempt(n), fails))))
        }
        ("hub", "workflow.labels") => {
            hub();
            Box::new(move |n| drop(ready(by_hub::workflow_of(IDS[n % 8], attempt(n), fails))))
        }
        ("hub", "agent.labels") => {
            hub();
            Box::new(move |n| drop(ready(by_hub::agent_of(IDS[n % 8], attempt(n), fails))))
        }
        ("hub", which) if which.starts_with("workflow") => {
            hub();
            Box::new(move |n| drop(ready(by_hub::workflow(attempt(n), fails))))
        }
        ("hub", _) => {
            hub();
            Box::new(move |n| drop(ready(by_hub::agent(attempt(n), fails))))
        }
        ("plain", _) => Box::new(move |n| drop(ready(plain(attempt(n), fails)))),
        ("hand", which) => {
            let by_hand = ByHand::new(&traces, &metrics);
            by_hand.metrics.declare(which.starts_with("workflow"));
            std::mem::forget((traces, metrics));
            if which.starts_with("workflow") {
                Box::new(move |n| drop(ready(by_hand.workflow(attempt(n), fails))))
            } else {
                Box::new(move |n| drop(ready(by_hand.agent(attempt(n), fails))))
            }
        }
        (_, which) => {
            subscriber(&traces);
            let by_hand = Metrics::new(&metrics);
            by_hand.declare(which.starts_with("workflow"));
            std::mem::forget((traces, metrics));
            if which.starts_with("workflow") {
                Box::new(move |n| drop(ready(by_tracing::workflow(&by_hand, attempt(n), fails))))
            } else {
                Box::new(move |n| drop(ready(by_tracing::agent(&by_hand, attempt(n), fails))))
            }
        }
    }
}
