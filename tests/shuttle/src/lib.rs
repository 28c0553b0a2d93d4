//! The library's own files, compiled with a model checker's primitives, and what must be true in
//! whatever order threads come to them.
//!
//! Each function is one scenario: few threads, run in every order in which their steps can follow
//! each other, or where those are too many in a great number of random ones. The memory is
//! sequentially consistent; thread-locals are not modelled, so what lives in them is tested with
//! real threads (`tests/behaviour/shared.rs`).

mod late_facts;
mod metrics;
mod queue;
mod sync;

/// Stands in for the configuration: the signals.
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
    }
}

/// The library's queue and its accounting.
#[path = "."]
mod export {
    #[path = "../../../hub-otel/src/export/accounting.rs"]
    #[expect(dead_code, reason = "the scenarios use few of the drop reasons")]
    pub mod accounting;
    #[path = "../../../hub-otel/src/export/queue.rs"]
    #[expect(dead_code, reason = "the scenarios use part of the queue's interface")]
    pub mod queue;
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

pub use late_facts::{told, told_by_many};
pub use metrics::{crowded, last_room, no_room, same_place, same_set};
pub use queue::{abandoned, closed, reported, settled};

use shuttle::thread;

/// The random orders of [`many_orders`]: the same ones every time.
const SEED: u64 = 20_260_729;
const ORDERS: usize = 10_000;

/// Runs `scenario` in every order in which the steps of its threads can follow each other.
fn every_order(scenario: fn()) {
    shuttle::check_dfs(scenario, None);
}

/// Runs `scenario` in a great number of orders, for more threads and steps than can be run through.
fn many_orders(scenario: fn()) {
    shuttle::check_random_with_seed(scenario, SEED, ORDERS);
}

/// Runs `threads` at the same time, and waits for all of them.
fn together(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A closure for [`together`].
fn thread(body: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce() + Send> {
    Box::new(body)
}
