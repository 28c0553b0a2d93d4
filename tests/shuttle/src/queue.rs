//! The queue of finished items and its ledger: items come in while batches go out, the queue
//! closes, or is given up.

use crate::config::signal::Signal;
use crate::export::accounting::reason;
use crate::export::queue::{ExportOutcome, Queue};
use crate::sync::Arc;
use crate::telemetry::report::SignalReport;
use crate::{every_order, many_orders, thread, together};

type Items = Arc<Queue<u32>>;

/// Room for two items; a batch is one.
fn queue() -> Items {
    Queue::new(Signal::Traces, 2, 1)
}

fn push(queue: &Items, count: u32) -> Box<dyn FnOnce() + Send> {
    let queue = Arc::clone(queue);
    thread(move || (0..count).for_each(|item| queue.push(item, 1)))
}

/// Takes up to `batches`, which the Collector takes.
fn deliver(queue: &Items, batches: usize) -> Box<dyn FnOnce() + Send> {
    let queue = Arc::clone(queue);
    thread(move || {
        for _ in 0..batches {
            if let Some(batch) = queue.take(true) {
                batch.complete(ExportOutcome::Accepted { rejected: 0 });
            }
        }
    })
}

/// The books, which must be even whenever somebody looks.
fn even(queue: &Items) -> SignalReport {
    let report = queue.accounting.report();
    let settled = report.ok + report.rejected + report.failed + report.dropped_total();
    assert_eq!(report.finished, settled + report.pending, "{report:?}");
    report
}

fn dropped(report: &SignalReport, reason: &str) -> u64 {
    report.dropped.get(reason).copied().unwrap_or(0)
}

/// Three items for two places, while batches go out: each is delivered, waits, or is counted as one
/// too many.
pub fn settled() {
    many_orders(|| {
        let queue = queue();
        together(vec![push(&queue, 2), push(&queue, 1), deliver(&queue, 2)]);
        let report = even(&queue);
        assert_eq!((report.finished, report.pending), (3, queue.waiting() as u64));
        assert!(dropped(&report, reason::QUEUE_FULL) <= 1, "two find room at any time: {report:?}");
        deliver(&queue, 2)();
        assert_eq!((even(&queue).pending, queue.is_complete_before(queue.next())), (0, true));
    });
}

/// One item while the queue closes and is emptied: delivered, or turned away as too late; it never
/// waits for somebody who does not come any more.
pub fn closed() {
    every_order(|| {
        let queue = queue();
        let closing = Arc::clone(&queue);
        let close = thread(move || {
            closing.close();
            deliver(&closing, 1)();
        });
        together(vec![push(&queue, 1), close]);
        let report = even(&queue);
        assert_eq!((report.finished, report.pending, queue.waiting()), (1, 0, 0));
        assert_eq!(report.ok + dropped(&report, reason::AFTER_SHUTDOWN), 1);
    });
}

/// Shutdown's deadline passes while items come in and a batch is on its way: what was pending is
/// written down once.
pub fn abandoned() {
    many_orders(|| {
        let queue = queue();
        let late = Arc::clone(&queue);
        let give_up = thread(move || {
            late.close();
            late.drop_waiting(reason::DEADLINE);
            late.accounting.close(reason::DEADLINE);
            let report = even(&late);
            assert_eq!(report.pending, 0, "sealed: {report:?}");
        });
        together(vec![push(&queue, 2), deliver(&queue, 1), give_up]);
        let report = even(&queue);
        assert_eq!((report.finished, report.pending, queue.waiting()), (2, 0, 0));
        let lost = dropped(&report, reason::DEADLINE) + dropped(&report, reason::AFTER_SHUTDOWN);
        assert_eq!(report.ok + lost, 2, "{report:?}");
    });
}

/// Somebody reads the books while items come and go: they are even at that moment too.
pub fn reported() {
    many_orders(|| {
        let queue = queue();
        let reading = Arc::clone(&queue);
        let read = thread(move || {
            let (first, second) = (even(&reading), even(&reading));
            assert!(first.finished <= second.finished && first.ok <= second.ok, "books only grow");
        });
        together(vec![push(&queue, 2), deliver(&queue, 2), read]);
        even(&queue);
    });
}
