//! Units of each outcome and with each kind of late fact, in a child process.

use hub_otel::otel::kv;
use hub_otel::otel::opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, get_active_span,
};
use hub_otel::otel::opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use hub_otel::{
    Sensitive, SpanKind, TimedOut, agent, current, instrument_agent, instrument_workflow, workflow,
};
use std::io::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

#[test]
#[ignore = "runs in a child process"]
fn all_units() {
    // The GenAI attributes have tests of their own.
    let builder = hub_otel::Telemetry::builder().default_service_name("the-service").gen_ai(false);
    let telemetry = builder.install().expect("the install");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        outcomes().await;
        identities().await;
        late_facts();
        sizes();
    });
    assert!(telemetry.shutdown_blocking().is_complete());
}

/// A span of another process.
fn remote(id: u64, state: &[(&str, &str)]) -> SpanContext {
    let state = TraceState::from_key_value(state.iter().copied()).expect("valid entries");
    let (trace, span) = (TraceId::from(0x7000 + u128::from(id)), SpanId::from(id));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, state)
}

#[instrument_workflow(
    id = "order",
    name = "Order",
    run_id = "run-1",
    trigger = "event",
    fields(shop, count = items.len(), text = %shop, list = ?items, none = None::<i64>)
)]
async fn order(shop: &str, items: &[i64]) -> Result<(), Error> {
    pick(items).await;
    Ok(())
}

#[instrument_agent(id = "picker", name = "Picker", action = "pick", run_id = "run-2", ret(|sum| total = *sum))]
async fn pick(items: &[i64]) -> i64 {
    items.iter().sum()
}

#[instrument_workflow(id = "failing", run_id = "run-3")]
async fn failing() -> Result<(), Error> {
    let _ = failing_agent().await;
    Err(Error::other("no http://user:password@shop.test/?token=1 for you"))
}

#[instrument_agent(id = "failing", action = "fail", run_id = "run-4")]
async fn failing_agent() -> Result<(), Error> {
    Err(Error::new(std::io::ErrorKind::NotFound, "gone"))
}

fn is_expected(error: &Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

#[instrument_agent(id = "expecting", action = "look", run_id = "run-5", err(expected = is_expected))]
async fn expecting() -> Result<(), Error> {
    get_active_span(|span| span.set_status(Status::error("of the user")));
    Err(Error::new(std::io::ErrorKind::NotFound, "gone"))
}

#[derive(Debug)]
struct Late(#[expect(dead_code, reason = "printed")] &'static str);

impl std::fmt::Display for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("late")
    }
}

impl From<TimedOut> for Late {
    fn from(_: TimedOut) -> Self {
        Self("timed out")
    }
}

#[instrument_agent(id = "slow", action = "wait", run_id = "run-6", timeout = Duration::from_millis(5))]
async fn slow() -> Result<(), Late> {
    std::future::pending().await
}

#[instrument_workflow(id = "review", run_id = "run-7", trigger = "schedule")]
async fn review() -> Option<hub_otel::Segment> {
    current().suspend("approval");
    current().segment()
}

async fn outcomes() {
    let _ = order("Shop", &[1, 2, 3]).await;
    let _ = failing().await;
    let _ = expecting().await;
    let _ = slow().await;
    let segment = review().await;
    workflow("ignored").resume(segment).run(async {}).await;
    let panicking = workflow("panicking").run_id("run-8");
    let body = || -> () { panic!("with a text") };
    let _ = catch_unwind(AssertUnwindSafe(|| panicking.call(body)));
    let mut dropped =
        Box::pin(agent("dropped", "wait").run_id("r").run(std::future::pending::<()>()));
    let mut context = TaskContext::from_waker(Waker::noop());
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    let set = |set: fn()| agent("set", "set").run_id("run-9").call(set);
    set(|| _ = current().set_timed_out());
    set(|| _ = current().set_failed("bad_answer"));
    agent("status", "x").run_id("r").call(|| hub_otel::UnitStatus::Failed);
    agent("status", "x").run_id("r").call(|| hub_otel::UnitStatus::Rejected);
    workflow("generated").call(|| agent("generated", "x").call(|| ()));
}

async fn identities() {
    agent("child", "join").run_id("r").parent(remote(1, &[("vendor", "a")])).call(|| {
        agent("child of child", "join").run_id("r").call(|| ());
    });
    let _attached = Context::new().with_remote_span_context(remote(2, &[])).attach();
    workflow("root")
        .run_id("r")
        .root()
        .links([remote(3, &[("other", "b")]), remote(4, &[])])
        .call(|| ());
    agent("linked", "x").run_id("r").kind(SpanKind::Consumer).gen_ai().call(|| ());
    workflow("gen_ai").name("GenAI").run_id("r").gen_ai().label("tier", "gold").call(|| ());
}

#[expect(clippy::disallowed_methods, reason = "attributes of the user's own")]
fn late_facts() {
    workflow("late").run_id("r").field("plan", "none").call(|| {
        let unit = current();
        unit.record("plan", "first").record("tokens", 7_u64).record("plan", "second");
        unit.add_event("cache", [("hit", true)]);
        unit.set_workflow("moved", "Moved", "manual");
        get_active_span(|span| {
            span.set_attribute(KeyValue::new("workflow.status", "mine"));
            span.add_event("seen", vec![kv("a", 1.5), kv("b", "two")]);
            span.add_event_with_timestamp("early", std::time::UNIX_EPOCH, Vec::new());
            span.add_link(remote(5, &[]), vec![kv("a", 1), kv("b", true)]);
            span.update_name("renamed");
            span.set_status(Status::error("ignored"));
            span.record_error(&Error::other("noted"));
            span.end();
        });
    });
    agent("retrying", "ask").run_id("r").call(|| {
        current().record_retry("rate_limited");
        current().record_retry_after("unreachable", Duration::from_millis(250));
    });
    let secret = [("user.password", "hunter2"), ("api_key", "hunter2"), ("color", "red")];
    agent("secret", "hide").run_id("r").field("session_token", "hunter2").call(|| {
        for (key, value) in secret {
            current().record(key, value).record(format!("{key}.length"), 7_i64);
        }
        current().record("sensitive", Sensitive::new("hunter2").to_string());
        current().record("tokens_secret", ["hunter2", "hunter3"]);
        current().add_event("secret", secret);
        get_active_span(|span| {
            span.add_link(remote(6, &[]), secret.map(|(key, value)| kv(key, value)).to_vec());
        });
    });
    agent("arrays", "list").run_id("r").call(|| {
        let unit = current();
        unit.record("bools", [true, false]).record("integers", [1, -2]).record("floats", [0.5]);
        unit.record("texts", ["a", ""]).record("empty", Vec::<i64>::new()).record("", "no key");
    });
}

#[expect(clippy::disallowed_methods, reason = "attributes of the user's own")]
fn sizes() {
    let long = "é".repeat(5_000);
    agent("many", "record").run_id("r").call(|| {
        for n in 0..140 {
            current().record(format!("key.{n}"), n).record("same", n);
        }
    });
    agent("many", "events").run_id("r").call(|| {
        for n in 0..140_i64 {
            current().add_event(format!("event {n}"), [("n", n)]);
            get_active_span(|span| span.add_link(remote(7, &[]), vec![kv("n", n)]));
        }
    });
    agent("many", "attributes").run_id("r").call(|| {
        let many = || (0..140_i64).map(|n| kv(format!("key.{n}"), n)).collect::<Vec<_>>();
        get_active_span(|span| {
            span.add_event("many", many());
            span.add_link(remote(8, &[]), many());
        });
    });
    agent("long", "cut").name(&long).run_id("r").field("field", long.as_str()).call(|| {
        current().record("late", long.as_str()).add_event(long.clone(), [("a", long.as_str())]);
        let texts: Vec<StringValue> = vec![long.clone().into(), "short".into()];
        get_active_span(|span| {
            span.set_attribute(KeyValue::new("list", Value::Array(Array::String(texts))));
            span.update_name(long.clone());
        });
    });
    let _ = agent("long", "fail").run_id("r").call(|| Err::<(), _>(Error::other(long.clone())));
    let _ = workflow("long").run_id("r").call(|| Err::<(), _>(Error::other("x".repeat(4_097))));
    agent("huge", "cut").run_id("r").call(|| {
        for n in 0..40 {
            current().record(format!("key.{n}"), "x".repeat(4_000));
        }
        current().add_event("does not fit", [("a", 1_i64)]);
        get_active_span(|span| span.add_link(remote(9, &[]), vec![kv("n", 1)]));
    });
}
