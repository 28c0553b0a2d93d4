//! Runtimes of the program: nothing is lost and the shutdown keeps its deadline in each of them.

use crate::support::{DEADLINE, bar, figure};
use hub_otel_tests::program::{Program, Stopped, Transport};
use hub_otel_tests::receiver::Receiver;
use std::time::Instant;
use tokio::runtime::Builder;

/// Runs `shape` for both transports, with a program that has sent items.
fn shape(name: &str, shape: impl Fn(Box<dyn FnOnce() -> Program + Send>) -> Option<Stopped>) {
    for transport in Transport::BOTH {
        let receiver = Receiver::start();
        let endpoint = receiver.endpoint();
        let start = Instant::now();
        let stopped = shape(Box::new(move || {
            let mut program = Program::start(&endpoint, transport);
            program.emit(300);
            program
        }));
        let took = stopped.as_ref().map_or_else(|| start.elapsed(), |stopped| stopped.took);
        match stopped {
            Some(stopped) => stopped.assert_delivered_once(&receiver),
            // Dropped: there is no report, only the received items.
            None => assert_eq!(
                receiver.account(
                    hub_otel_tests::receiver::Signal::Traces,
                    (0..300).map(hub_otel_tests::program::id)
                ),
                hub_otel_tests::receiver::Account::default()
            ),
        }
        assert!(took <= bar(DEADLINE), "{took:?}");
        figure(&format!("runtime: {name}, {transport:?}"), format!("0 lost, {took:?}"));
    }
}

#[test]
fn a_multi_thread_runtime() {
    shape("multi-thread, awaited", |program| {
        let runtime =
            Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
        Some(runtime.block_on(async { program().stop_async().await }))
    });
}

#[test]
fn a_multi_thread_runtime_with_one_worker_that_is_blocked() {
    shape("one worker, blocked", |program| {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            tokio::spawn(async move { Some(program().stop()) }).await.expect("no panic")
        })
    });
}

#[test]
fn a_current_thread_runtime() {
    shape("current-thread, awaited", |program| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Some(runtime.block_on(async { program().stop_async().await }))
    });
}

#[test]
fn a_current_thread_runtime_that_is_blocked() {
    shape("current-thread, blocked", |program| {
        let runtime =
            Builder::new_current_thread().build().expect("a runtime without timers or I/O");
        Some(runtime.block_on(async { program().stop() }))
    });
}

#[test]
fn no_runtime_at_all() {
    shape("none", |program| Some(program().stop()));
}

#[test]
fn a_dropped_runtime() {
    shape("gone before the shutdown", |program| {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let program = runtime.block_on(async { program() });
        drop(runtime);
        Some(program.stop())
    });
}

#[test]
fn a_guard_that_is_dropped_inside_a_runtime() {
    shape("dropped in async code", |program| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { drop(program()) });
        None
    });
}

#[test]
fn a_guard_that_is_dropped_by_a_panic() {
    shape("dropped by a panic", |program| {
        let panicked = std::thread::spawn(move || {
            let _guard = program();
            panic!("as planned");
        });
        assert!(panicked.join().is_err());
        None
    });
}

#[test]
fn a_shutdown_inside_a_blocking_task_and_a_local_set() {
    shape("spawn_blocking", |program| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            tokio::task::spawn_local(async {
                tokio::task::spawn_blocking(move || Some(program().stop())).await.expect("no panic")
            })
            .await
            .expect("no panic")
        })
    });
}
