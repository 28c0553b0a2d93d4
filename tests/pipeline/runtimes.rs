//! Delivery from every kind of runtime, and without one.

use crate::kit;
use hub_otel::{Report, Telemetry};
use hub_otel_tests::receiver::Receiver;
use std::time::{Duration, Instant};

/// Three times the deadline: the machine is shared.
const IN_TIME: Duration = Duration::from_secs(15);

fn delivers(run: impl FnOnce(&Receiver) -> Report) {
    let receiver = Receiver::start();
    let began = Instant::now();
    let report = run(&receiver);
    assert!(began.elapsed() < IN_TIME);
    assert!(report.is_complete(), "{report}");
    assert_eq!(receiver.spans().len(), 600);
    assert_eq!(receiver.logs().len(), 1);
}

fn work(receiver: &Receiver) -> Telemetry {
    let telemetry = kit::to(receiver).build().expect("it starts");
    (0..600).for_each(|n| kit::span(&telemetry, &format!("span {n}")));
    kit::log(&telemetry, "a record");
    telemetry
}

fn runtime(mut builder: tokio::runtime::Builder) -> tokio::runtime::Runtime {
    builder.enable_all().build().expect("a runtime")
}

#[test]
fn from_no_runtime_at_all() {
    delivers(|receiver| work(receiver).shutdown_blocking());
}

#[test]
fn from_a_runtime_of_many_threads() {
    let runtime = runtime(tokio::runtime::Builder::new_multi_thread());
    delivers(|receiver| runtime.block_on(async { work(receiver).shutdown().await }));
}

#[test]
fn from_a_runtime_of_one_thread() {
    let runtime = runtime(tokio::runtime::Builder::new_current_thread());
    delivers(|receiver| runtime.block_on(async { work(receiver).shutdown().await }));
}

#[test]
fn blocking_inside_a_runtime_of_one_thread() {
    let runtime = runtime(tokio::runtime::Builder::new_current_thread());
    delivers(|receiver| runtime.block_on(async { work(receiver).shutdown_blocking() }));
}

#[test]
fn from_an_executor_that_is_not_tokios() {
    delivers(|receiver| {
        let telemetry = work(receiver);
        let (done, report) = std::sync::mpsc::channel();
        let mut future = Box::pin(async move {
            done.send(telemetry.shutdown().await).expect("the receiver is open")
        });
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        hub_otel_tests::poll::until(IN_TIME, || future.as_mut().poll(&mut context).is_ready());
        report.recv().expect("a report")
    });
}

#[test]
fn from_a_guard_that_is_dropped_inside_a_runtime_of_one_thread() {
    let receiver = Receiver::start();
    let runtime = runtime(tokio::runtime::Builder::new_current_thread());
    runtime.block_on(async { drop(work(&receiver)) });
    assert_eq!(receiver.spans().len(), 600);
}

#[test]
fn from_a_guard_that_is_dropped_by_a_panic() {
    let receiver = Receiver::start();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _telemetry = work(&receiver);
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    assert_eq!(receiver.spans().len(), 600);
}

#[test]
fn a_flush_delivers_and_the_instance_continues() {
    let receiver = Receiver::start();
    let telemetry = work(&receiver);
    let report = telemetry.flush_blocking();
    assert_eq!((report.traces.ok, report.traces.pending), (600, 0), "{report}");
    kit::span(&telemetry, "one more");
    assert_eq!(telemetry.shutdown_blocking().traces.ok, 601);
}

#[test]
fn what_ends_after_shutdown_is_counted_and_not_sent() {
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver).build().expect("it starts");
    let provider = hub_otel::otel::tracer_provider(&telemetry);
    assert!(telemetry.shutdown_blocking().is_complete());
    late(&provider);
    assert!(receiver.spans().is_empty());
}

#[expect(clippy::disallowed_methods, reason = "a span without a unit of work around it")]
fn late(provider: &hub_otel::otel::opentelemetry_sdk::trace::SdkTracerProvider) {
    use hub_otel::otel::opentelemetry::trace::{Span, Tracer, TracerProvider};
    provider.tracer("tests").start("late").end();
}

#[test]
fn instances_side_by_side_do_not_disturb_each_other() {
    let threads: Vec<_> = (0..16)
        .map(|n| {
            std::thread::spawn(move || {
                let receiver = Receiver::start();
                let telemetry = kit::to(&receiver).build().expect("it starts");
                (0..n).for_each(|_| kit::span(&telemetry, &format!("of {n}")));
                assert!(telemetry.shutdown_blocking().is_complete());
                assert_eq!(receiver.spans().len(), n);
                assert!(receiver.spans().iter().all(|span| span.item.name == format!("of {n}")));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("isolated"));
}
