//! Measured scenarios, by name: `LIBRARY.UNIT`. Each scenario runs in a process of its own, because
//! a subscriber and an installed SDK are global.

use crate::by_hand::ByHand;
use crate::manual_metrics::{Instruments, Metrics};
use crate::manual_pipeline::ManualPipeline;
use crate::{WorkError, by_hub, by_sqlx, by_tracing, ready, work, work_of};
use opentelemetry::trace::TracerProvider;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

/// All scenarios.
///
/// `*.foreign` is a `tracing` span of another library: under the subscriber of `init!()`, which
/// prints lines too, and under a subscriber with our layer alone. `hub.*` use this library,
/// `bound.*` are `hand.*` with bound instruments, `plain.*` is the same call without telemetry: the
/// overhead of the measurement.
pub const ALL: &[&str] = &[
    "hub.workflow",
    "hub.workflow.error",
    "hub.agent",
    "hub.agent.error",
    "hub.workflow.unsampled",
    "hub.agent.unsampled",
    "hub.workflow.disabled",
    "hub.workflow.new_id",
    "hub.workflow.gen_ai",
    "hub.agent.gen_ai",
    "hub.llm",
    "hub.workflow.labels",
    "hub.agent.labels",
    "hub.workflow.default",
    "hub.workflow.warn",
    "hub.workflow.live",
    "hub.polled",
    "hub.nested",
    "hub.spawned",
    "hub.foreign",
    "hub.layer.foreign",
    "hand.workflow",
    "hand.workflow.error",
    "hand.agent",
    "hand.agent.error",
    "hand.workflow.unsampled",
    "hand.agent.unsampled",
    "hand.polled",
    "hand.nested",
    "bound.workflow",
    "bound.workflow.error",
    "bound.agent",
    "bound.agent.error",
    "tracing.workflow",
    "tracing.workflow.error",
    "tracing.agent",
    "tracing.agent.error",
    "tracing.foreign",
    "fastrace.workflow",
    "fastrace.workflow.error",
    "fastrace.agent",
    "fastrace.agent.error",
    "plain.workflow",
    "plain.polled",
    "plain.spawned",
];

/// Polls of a unit in the scenarios `*.polled`, in addition to the first one.
pub const POLLS: usize = 10;

const IDS: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];

/// A future that is pending at each poll.
pub type Pending = Pin<Box<dyn Future<Output = Result<u32, WorkError>>>>;

/// A scenario that is ready to run, with its pipeline.
pub struct Scenario {
    /// Runs one unit.
    pub unit: Box<dyn FnMut(usize)>,
    /// Creates a unit that stays in progress. Only for `*.polled`.
    pub pending: Option<Box<dyn Fn() -> Pending>>,
    /// Address of `/metrics`.
    pub metrics_address: Option<SocketAddr>,
    /// Delivers all spans.
    pub stop: Box<dyn FnOnce()>,
}

/// Returns the environment of a scenario whose receiver listens on `endpoint`.
pub fn environment(name: &str, endpoint: SocketAddr) -> Vec<(&'static str, String)> {
    let text = |value: &str| value.to_owned();
    let mut variables = vec![
        ("OTEL_SERVICE_NAME", text("bench")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}")),
        // Nothing is dropped, although a callgrind process exports slowly.
        ("OTEL_BSP_MAX_QUEUE_SIZE", text("65536")),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", text("65536")),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", text("0")),
    ];
    if name.ends_with("series") {
        variables.push(("HUB_OTEL_MAX_LABEL_SETS", text("10000")));
    }
    if name.ends_with("unsampled") {
        variables.push(("OTEL_TRACES_SAMPLER", text("always_off")));
    }
    match name.rsplit('.').next() {
        // The log lines of `init!()`: stderr and OTLP.
        Some("default") => {}
        // Spans of `tracing`, without records.
        Some("foreign") => {
            variables.push(("RUST_LOG", text("info")));
            variables.push(("OTEL_LOGS_EXPORTER", text("none")));
        }
        Some("warn") => variables.push(("RUST_LOG", text("warn"))),
        _ => {
            variables.push(("RUST_LOG", text("off")));
            variables.push(("OTEL_LOGS_EXPORTER", text("none")));
        }
    }
    variables
}

/// Returns the number of spans that `units` units of a scenario export.
pub fn spans(name: &str, units: usize) -> usize {
    match name {
        _ if name.starts_with("plain") || name.starts_with("sqlx_otel") => 0,
        _ if name.ends_with("unsampled") || name.ends_with("disabled") => 0,
        _ if name.ends_with("nested") => 5 * units,
        _ => units,
    }
}

/// Prepares a scenario, except for `fastrace.*`, which another program contains. The environment is
/// the one of [`environment`].
pub fn prepare(name: &str) -> Scenario {
    let (library, unit) = name.split_once('.').expect("LIBRARY.UNIT");
    let fails = unit.ends_with("error");
    match library {
        "hub" => hub(unit, fails),
        "hand" => by_hand(unit, fails, |instruments| instruments),
        "bound" => by_hand(unit, fails, |instruments| instruments.bind()),
        "tracing" => tracing(unit, fails),
        "plain" => plain(unit, fails),
        "sqlx_otel" => {
            by_sqlx::prepare_sqlx_otel(by_sqlx::rows(unit).expect("sqlx1, sqlx10 or sqlx1000"))
        }
        _ => panic!("unknown scenario `{name}`; `names` lists them"),
    }
}

pub fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(0)
}

fn hub(unit: &str, fails: bool) -> Scenario {
    if let Some(rows) = by_sqlx::rows(unit) {
        let telemetry = hub_otel::Telemetry::builder().install().expect("valid settings");
        let metrics_address = telemetry.metrics_addr();
        return by_sqlx::prepare(rows, true, metrics_address, Box::new(move || drop(telemetry)));
    }
    if unit == "layer.foreign" {
        return foreign_by_layer();
    }
    // The hand-written code sets no GenAI attributes, which are on by default.
    let price = hub_otel::ModelPrice::per_million(0.15, 0.6);
    let builder = hub_otel::Telemetry::builder()
        .gen_ai(unit.ends_with("gen_ai"))
        .model_price(by_hub::MODEL, price);
    let builder = if unit.ends_with("live") { builder.live_embedded() } else { builder };
    let telemetry =
        (!unit.ends_with("disabled")).then(|| builder.install().expect("valid settings"));
    let metrics_address = telemetry.as_ref().and_then(|telemetry| telemetry.metrics_addr());
    let unit: Box<dyn FnMut(usize)> = match unit {
        "workflow.labels" => {
            Box::new(move |n| drop(ready(by_hub::workflow_of(IDS[n % 8], number(n), fails))))
        }
        "agent.labels" => {
            Box::new(move |n| drop(ready(by_hub::agent_of(IDS[n % 8], number(n), fails))))
        }
        "series" => Box::new(move |n| drop(ready(by_hub::agent_of(&format!("id-{n}"), 1, fails)))),
        "workflow.new_id" => Box::new(|n| drop(ready(by_hub::workflow_with_new_id(number(n))))),
        "polled" => Box::new(|n| drop(ready(by_hub::polled(number(n), POLLS)))),
        "nested" => Box::new(|n| drop(ready(by_hub::nested(number(n))))),
        "llm" => Box::new(|n| drop(ready(by_hub::llm(number(n))))),
        "foreign" => Box::new(|n| drop(ready(by_tracing::foreign(number(n))))),
        "spawned" => {
            let runtime = current_thread();
            Box::new(move |n| {
                let _ =
                    runtime.block_on(async { tokio::spawn(by_hub::agent(number(n), false)).await });
            })
        }
        _ if unit.starts_with("workflow") => {
            Box::new(move |n| drop(ready(by_hub::workflow(number(n), fails))))
        }
        _ => Box::new(move |n| drop(ready(by_hub::agent(number(n), fails)))),
    };
    let pending: Box<dyn Fn() -> Pending> = Box::new(|| Box::pin(by_hub::polled(1, usize::MAX)));
    let stop = Box::new(move || drop(telemetry));
    Scenario { unit, pending: Some(pending), metrics_address, stop }
}

/// A subscriber of the application with our layer: no lines on stderr.
fn foreign_by_layer() -> Scenario {
    use tracing_subscriber::layer::SubscriberExt;
    let telemetry = hub_otel::Telemetry::builder().build().expect("valid settings");
    let layer = hub_otel::otel::tracing_layer(&telemetry);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("one scenario per process");
    telemetry.install().expect("the first one");
    let metrics_address = telemetry.metrics_addr();
    let unit = Box::new(|n| drop(ready(by_tracing::foreign(number(n)))));
    Scenario { unit, pending: None, metrics_address, stop: Box::new(move || drop(telemetry)) }
}

fn by_hand<M: Metrics + 'static>(
    unit: &str,
    fails: bool,
    metrics: impl FnOnce(Instruments) -> M,
) -> Scenario {
    let pipeline = ManualPipeline::start();
    let instruments = Instruments::new(&pipeline.metrics);
    let metrics_address = Some(pipeline.metrics_address);
    let is_workflow = !unit.starts_with("agent");
    if unit == "series" {
        let unit = Box::new(move |n| instruments.agent_of(&format!("id-{n}")));
        let stop = Box::new(move || pipeline.shutdown());
        return Scenario { unit, pending: None, metrics_address, stop };
    }
    instruments.declare(is_workflow);
    let tracer = pipeline.traces.tracer("hub_otel");
    let by_hand = Rc::new(ByHand { tracer, metrics: metrics(instruments) });
    let pending = {
        let by_hand = Rc::clone(&by_hand);
        move || -> Pending {
            let by_hand = Rc::clone(&by_hand);
            Box::pin(async move { by_hand.polled(1, usize::MAX).await })
        }
    };
    let unit: Box<dyn FnMut(usize)> = match unit {
        "polled" => Box::new(move |n| drop(ready(by_hand.polled(number(n), POLLS)))),
        "nested" => Box::new(move |n| drop(ready(by_hand.nested(number(n))))),
        _ if is_workflow => Box::new(move |n| drop(ready(by_hand.workflow(number(n), fails)))),
        _ => Box::new(move |n| drop(ready(by_hand.agent(number(n), fails)))),
    };
    let stop = Box::new(move || pipeline.shutdown());
    Scenario { unit, pending: Some(Box::new(pending)), metrics_address, stop }
}

fn tracing(unit: &str, fails: bool) -> Scenario {
    let pipeline = ManualPipeline::start();
    tracing::dispatcher::set_global_default(by_tracing::dispatch(&pipeline.traces))
        .expect("one scenario per process");
    let metrics = Instruments::new(&pipeline.metrics);
    let is_workflow = unit.starts_with("workflow");
    metrics.declare(is_workflow);
    let metrics_address = Some(pipeline.metrics_address);
    let unit: Box<dyn FnMut(usize)> = if unit == "foreign" {
        Box::new(|n| drop(ready(by_tracing::foreign(number(n)))))
    } else if is_workflow {
        Box::new(move |n| drop(ready(by_tracing::workflow(&metrics, number(n), fails))))
    } else {
        Box::new(move |n| drop(ready(by_tracing::agent(&metrics, number(n), fails))))
    };
    let stop = Box::new(move || pipeline.shutdown());
    Scenario { unit, pending: None, metrics_address, stop }
}

fn plain(unit: &str, fails: bool) -> Scenario {
    if let Some(rows) = by_sqlx::rows(unit) {
        return by_sqlx::prepare(rows, false, None, Box::new(|| ()));
    }
    async fn plain(_attempt: i64, fails: bool) -> Result<u32, WorkError> {
        work(fails).await
    }
    let unit: Box<dyn FnMut(usize)> = match unit {
        "polled" => Box::new(|_| drop(ready(work_of(POLLS)))),
        "spawned" => {
            let runtime = current_thread();
            Box::new(move |n| {
                let _ = runtime.block_on(async { tokio::spawn(plain(number(n), false)).await });
            })
        }
        _ => Box::new(move |n| drop(ready(plain(number(n), fails)))),
    };
    let pending: Box<dyn Fn() -> Pending> = Box::new(|| Box::pin(work_of(usize::MAX)));
    Scenario { unit, pending: Some(pending), metrics_address: None, stop: Box::new(|| {}) }
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}
