//! Several threads use one unit, one call site or one gauge concurrently. Each round checks the
//! properties that hold in every order.

use hub_otel::testing::{Capture, Settings, Spans, capture};
use hub_otel::{Current, current, instrument_workflow};
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Barrier;
use std::task::{Context, Waker};
use std::thread;

const ROUNDS: usize = 60;

fn poll<F: Future>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Opens a unit, and lets every one of `others` loose on its handle at the moment in which it ends:
/// by itself, or by being dropped.
fn race<F, U>(round: usize, unit: impl FnOnce(Option<Taken>) -> U, others: &[F])
where
    F: Fn(&Current) + Sync,
    U: Future,
{
    let (send, receive) = std::sync::mpsc::channel();
    let mut unit = Box::pin(unit(Some(Taken(send))));
    assert!(!poll(unit.as_mut()), "it waits once");
    let handle: Current = receive.recv().unwrap();
    let start = Barrier::new(others.len() + 1);
    thread::scope(|scope| {
        for other in others {
            let (handle, start) = (&handle, &start);
            scope.spawn(move || {
                start.wait();
                other(handle);
            });
        }
        start.wait();
        for _ in 0..round % 7 {
            thread::yield_now();
        }
        if round.is_multiple_of(2) {
            assert!(poll(unit.as_mut()));
        }
        drop(unit);
    });
    // Too late for all of them.
    others.iter().for_each(|other| other(&handle));
}

/// Gives away the handle of the unit that it is called in, and waits once.
struct Taken(std::sync::mpsc::Sender<Current>);

impl Taken {
    async fn give(self) {
        self.0.send(current()).unwrap();
        let mut waited = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        })
        .await;
    }
}

fn both_ways(round: usize) -> Capture {
    let settings = Settings::new().allow_root_agents();
    if round.is_multiple_of(3) { settings.unsampled().capture() } else { settings.capture() }
}

fn only<'s>(spans: &'s Spans, name: &str) -> Option<&'s hub_otel::testing::Span> {
    let named = spans.named(name);
    assert!(named.len() < 2, "ended once");
    named.first().copied()
}

#[test]
fn a_retry_recorded_while_its_unit_ends_is_in_span_and_counter_or_in_neither() {
    for round in 0..ROUNDS {
        let capture = both_ways(round);
        let agent = |taken: Option<Taken>| {
            hub_otel::agent("a", "x").run(async { taken.unwrap().give().await })
        };
        let retries = |handle: &Current| {
            for _ in 0..20 {
                handle.record_retry("busy");
            }
        };
        race(round, agent, &[retries, retries, retries]);
        let (spans, metrics) = (capture.spans(), capture.metrics());
        let counted = metrics.value("agent.retry.count", &[("reason", "busy")]);
        assert!(counted <= 60.0);
        if let Some(agent) = only(&spans, "agent.execute") {
            let reported = agent
                .attributes
                .get("agent.retry.count")
                .map_or(0.0, |count| count.to_string().parse().unwrap());
            assert_eq!(reported, counted, "round {round}");
        }
        let status = if round.is_multiple_of(2) { "SUCCESS" } else { "CANCELLED" };
        assert_eq!(metrics.value("agent.runs.total", &[("status", status)]), 1.0);
        assert_eq!(metrics.value("agent.runs.total", &[]), 1.0);
        capture.conformance().unwrap();
    }
}

#[test]
fn identities_that_arrive_together_leave_no_unit_active() {
    for round in 0..ROUNDS {
        let capture = both_ways(round);
        let workflow = |taken: Option<Taken>| {
            hub_otel::workflow("w").run(async { taken.unwrap().give().await })
        };
        let others: [&(dyn Fn(&Current) + Sync); 3] = [
            &|handle| _ = handle.set_workflow("one", "One", "event"),
            &|handle| _ = handle.set_workflow("two", None, None),
            &|handle| _ = handle.set_workflow("one", None, "schedule"),
        ];
        race(round, workflow, &others);
        let metrics = capture.metrics();
        for series in metrics.iter().filter(|series| series.name == "workflows.active") {
            assert_eq!(series.value, 0.0, "round {round}: {}", metrics.table());
        }
        assert_eq!(metrics.value("workflow.runs.total", &[]), 1.0, "{}", metrics.table());
        assert_eq!(metrics.value("workflow.duration", &[]), 1.0);
        capture.conformance().unwrap();
    }
}

#[test]
fn contradictory_outcomes_end_in_one_that_span_and_counters_share() {
    for round in 0..ROUNDS {
        let capture = both_ways(round);
        let workflow = |taken: Option<Taken>| {
            hub_otel::workflow("w").run(async { taken.unwrap().give().await })
        };
        let others: [&(dyn Fn(&Current) + Sync); 3] = [
            &|handle| _ = handle.suspend("approval"),
            &|handle| _ = handle.set_failed("broken"),
            &|handle| _ = handle.set_timed_out(),
        ];
        race(round, workflow, &others);
        let (spans, metrics) = (capture.spans(), capture.metrics());
        let ended = ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELLED"]
            .map(|status| (status, metrics.value("workflow.runs.total", &[("status", status)])));
        let counted: Vec<_> = ended.iter().filter(|(_, count)| *count != 0.0).collect();
        if let Some(workflow) = only(&spans, "workflow.execute") {
            match workflow.text("workflow.status").as_str() {
                "SUSPENDED" => assert!(counted.is_empty(), "round {round}: {counted:?}"),
                status => assert_eq!(counted, [&(status, 1.0)], "round {round}"),
            }
        }
        assert!(counted.len() < 2, "round {round}: {counted:?}");
        assert_eq!(metrics.value("workflow.duration", &[]), counted.len() as f64);
        let failed = counted.iter().any(|(status, _)| matches!(*status, "FAILED" | "TIMED_OUT"));
        assert_eq!(metrics.value("workflow.errors.total", &[]), f64::from(u8::from(failed)));
        assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    }
}

#[test]
fn a_call_site_that_several_instances_use_at_once_counts_for_each_its_own() {
    #[instrument_workflow(id = "literal")]
    async fn literal() {}
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for calls in [30, 50, 70, 90] {
            let start = &start;
            scope.spawn(move || {
                let capture = capture();
                start.wait();
                for _ in 0..calls {
                    assert!(poll(pin!(literal())));
                }
                let metrics = capture.metrics();
                assert_eq!(
                    metrics.value("workflow.runs.total", &[("status", "SUCCESS")]),
                    f64::from(calls)
                );
                assert_eq!(metrics.value("workflow.duration", &[]), f64::from(calls));
                assert_eq!(metrics.value("workflows.active", &[]), 0.0);
                assert_eq!(capture.spans().len(), usize::try_from(calls).unwrap());
            });
        }
    });
}

#[test]
fn a_unit_that_is_made_polled_and_dropped_on_three_threads_ends_once() {
    let capture = capture();
    for _ in 0..ROUNDS {
        let made = Box::pin(capture.run(hub_otel::workflow("w").run(pending::<()>())));
        let polled = thread::spawn(move || {
            let mut made = made;
            assert!(!poll(made.as_mut()));
            made
        });
        let polled = polled.join().unwrap();
        thread::spawn(move || drop(polled)).join().unwrap();
    }
    let metrics = capture.metrics();
    assert_eq!(metrics.value("workflow.runs.total", &[("status", "CANCELLED")]), ROUNDS as f64);
    assert_eq!(metrics.value("workflow.runs.total", &[]), ROUNDS as f64);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    assert_eq!(capture.spans().len(), ROUNDS);
}
