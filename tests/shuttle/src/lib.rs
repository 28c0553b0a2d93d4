//! Files of the library, compiled with the primitives of a model checker.
//!
//! Each function is one scenario: few threads, run in every interleaving of their steps, or in many
//! random ones if there are too many. Memory is sequentially consistent. Thread-locals are not
//! modelled; they are tested with real threads (`tests/behaviour/races.rs`).

mod late_facts;
mod metrics;
mod queue;
mod sync;

/// Replaces the configuration: the signals.
mod config {
    pub mod signal {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Signal {
        Traces,
        Metrics,
        Logs,
    }

    impl Signal {
        pub const ALL: &[Self] = &[Self::Traces, Self::Metrics, Self::Logs];
    }

    impl std::fmt::Display for Signal {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{self:?}")
        }
    }
    }
}

/// The library's queue and its accounting.
#[path = "."]
mod export {
    #[path = "../../../hub-otel/src/export/accounting.rs"]
    pub mod accounting;
    #[path = "../../../hub-otel/src/export/queue.rs"]
    #[expect(dead_code, reason = "the scenarios use part of the queue's interface")]
    pub mod queue;
}

/// The library's reasons of losses.
#[path = "."]
#[expect(dead_code, reason = "the scenarios use few of the reasons")]
mod semconv {
    #[path = "../../../hub-otel/src/semconv/drop_reason.rs"]
    pub mod drop_reason;
    #[path = "../../../hub-otel/src/semconv/failure_reason.rs"]
    pub mod failure_reason;
}

/// The library's report.
#[path = "."]
mod telemetry {
    #[path = "../../../hub-otel/src/telemetry/report.rs"]
    #[expect(dead_code, reason = "only the report of one signal is used")]
    pub mod report;
}

/// The library's sealable state.
#[path = "."]
mod unit {
    #[path = "../../../hub-otel/src/unit/sealable.rs"]
    pub mod sealable;
}

pub use late_facts::{twelve_retries, two_ends, two_retries};
pub use metrics::{crowded, last_room, no_room, same_place, same_set};
pub use queue::{abandoned, closed, delivered, reported};

use shuttle::thread;

/// Seed of the random orders of [`many_orders`].
const SEED: u64 = 20_260_729;
const ORDERS: usize = 10_000;

/// Runs `scenario` in every interleaving of the steps of its threads.
fn every_order(scenario: fn()) {
    shuttle::check_dfs(scenario, None);
}

/// Runs `scenario` in many random interleavings, if there are too many to run all.
fn many_orders(scenario: fn()) {
    shuttle::check_random_with_seed(scenario, SEED, ORDERS);
}

/// Runs `threads` concurrently and waits for all of them.
fn together(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Boxes a closure for [`together`].
fn thread(body: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce() + Send> {
    Box::new(body)
}
