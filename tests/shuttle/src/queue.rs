//! The queue of finished items and its accounting: items are added while batches are exported and
//! while the queue closes.

use crate::config::signal::Signal;
use crate::export::queue::{ExportOutcome, Queue};
use crate::semconv::drop_reason;
use crate::sync::Arc;
use crate::telemetry::report::SignalReport;
use crate::{every_order, many_orders, thread, together};

type Items = Arc<Queue<u32>>;

/// Creates a queue of two items with batches of one.
fn queue() -> Items {
    Queue::new(Signal::Traces, 2, 1)
}

fn push(queue: &Items, count: u32) -> Box<dyn FnOnce() + Send> {
    let queue = Arc::clone(queue);
    thread(move || (0..count).for_each(|item| queue.push(item, 1)))
}

/// Takes up to `batches` batches, which the Collector accepts.
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

/// Returns the report, whose counts must add up at any time.
fn balanced(queue: &Items) -> SignalReport {
    let report = queue.accounting.report();
    let accounted = report.ok + report.rejected + report.failed + report.dropped_total();
    assert_eq!(report.finished, accounted + report.pending, "{report:?}");
    report
}

fn dropped(report: &SignalReport, reason: &str) -> u64 {
    report.dropped.get(reason).copied().unwrap_or(0)
}

/// Three items are added to two slots while batches are exported. Each is delivered, waiting or
/// counted as dropped because the queue is full.
pub fn delivered() {
    many_orders(|| {
        let queue = queue();
        together(vec![push(&queue, 2), push(&queue, 1), deliver(&queue, 2)]);
        let report = balanced(&queue);
        assert_eq!((report.finished, report.pending), (3, queue.waiting() as u64));
        assert!(dropped(&report, drop_reason::QUEUE_FULL) <= 1, "two items always fit: {report:?}");
        deliver(&queue, 2)();
        assert_eq!((balanced(&queue).pending, queue.is_complete_before(queue.next())), (0, true));
    });
}

/// One item is added while the queue closes and is emptied. It is delivered or dropped as late, and
/// never waits.
pub fn closed() {
    every_order(|| {
        let queue = queue();
        let closing = Arc::clone(&queue);
        let close = thread(move || {
            closing.close();
            deliver(&closing, 1)();
        });
        together(vec![push(&queue, 1), close]);
        let report = balanced(&queue);
        assert_eq!((report.finished, report.pending, queue.waiting()), (1, 0, 0));
        assert_eq!(report.ok + dropped(&report, drop_reason::AFTER_SHUTDOWN), 1);
    });
}

/// The deadline of the shutdown passes while items are added and a batch is in flight. Pending
/// items are counted as lost once.
pub fn abandoned() {
    many_orders(|| {
        let queue = queue();
        let late = Arc::clone(&queue);
        let abandon = thread(move || {
            late.close();
            late.drop_waiting(drop_reason::SHUTDOWN_DEADLINE);
            late.accounting.close(drop_reason::SHUTDOWN_DEADLINE);
            let report = balanced(&late);
            assert_eq!(report.pending, 0, "after the close: {report:?}");
        });
        together(vec![push(&queue, 2), deliver(&queue, 1), abandon]);
        let report = balanced(&queue);
        assert_eq!((report.finished, report.pending, queue.waiting()), (2, 0, 0));
        let lost = dropped(&report, drop_reason::SHUTDOWN_DEADLINE)
            + dropped(&report, drop_reason::AFTER_SHUTDOWN);
        assert_eq!(report.ok + lost, 2, "{report:?}");
    });
}

/// The report is read while items are added and exported. Its counts add up at that moment.
pub fn reported() {
    many_orders(|| {
        let queue = queue();
        let reading = Arc::clone(&queue);
        let read = thread(move || {
            let (first, second) = (balanced(&reading), balanced(&reading));
            assert!(
                first.finished <= second.finished && first.ok <= second.ok,
                "counts never decrease"
            );
        });
        together(vec![push(&queue, 2), deliver(&queue, 2), read]);
        balanced(&queue);
    });
}
