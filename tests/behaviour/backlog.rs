//! Backlogs that the application counts: pending approvals, and runs that have not started.

use hub_otel::{Backlog, Telemetry};
use hub_otel_tests::{poll, scrape::Scrape};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Names of the number and of the oldest age, in Prometheus.
const APPROVALS: [&str; 2] = ["workflow_approval_pending", "workflow_approval_oldest_age_seconds"];
const QUEUE: [&str; 2] = ["workflow_queue_pending", "workflow_queue_oldest_age_seconds"];

const TIMEOUT: Duration = Duration::from_secs(60);

fn waiting(workflow: &str, pending: u64, seconds: u64) -> Backlog {
    let oldest_age = Duration::from_secs(seconds);
    Backlog { workflow_id: workflow.into(), pending, oldest_age }
}

fn scrape(telemetry: &Telemetry) -> Scrape {
    Scrape::of(format!("http://{}/metrics", telemetry.metrics_addr().unwrap()))
}

/// Returns number and oldest age of a workflow.
fn values(scrape: &Scrape, names: [&str; 2], workflow: &str) -> [Option<f64>; 2] {
    names.map(|name| scrape.value(name, &[("workflow_id", workflow)]))
}

// The poll blocks its thread; the count runs on another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backlog_is_the_count_of_the_application() {
    let telemetry = crate::scraped("approvals");
    telemetry.observe_approvals(|| async { vec![waiting("patch", 2, 90)] });
    // A pull starts the count, and returns what the last count found.
    let scrape = poll::until(TIMEOUT, || {
        let scrape = scrape(&telemetry);
        (values(&scrape, APPROVALS, "patch")[0] == Some(2.0)).then_some(scrape)
    });
    assert_eq!(values(&scrape, APPROVALS, "patch"), [Some(2.0), Some(90.0)]);
    assert_eq!(values(&scrape, QUEUE, "patch"), [None, None], "another backlog");
    drop(telemetry);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_wait_for_their_start_are_reported_and_those_of_two_sources_are_summed() {
    let telemetry = crate::scraped("queue");
    telemetry.observe_queue(|| async { vec![waiting("patch", 2, 90), waiting("scan", 1, 5)] });
    telemetry.observe_queue(|| async { vec![waiting("patch", 3, 40)] });
    let scrape = poll::until(TIMEOUT, || {
        let scrape = scrape(&telemetry);
        (values(&scrape, QUEUE, "patch")[0] == Some(5.0)).then_some(scrape)
    });
    assert_eq!(values(&scrape, QUEUE, "patch"), [Some(5.0), Some(90.0)]);
    assert_eq!(values(&scrape, QUEUE, "scan"), [Some(1.0), Some(5.0)]);
    assert_eq!(values(&scrape, APPROVALS, "patch"), [None, None], "another backlog");
    drop(telemetry);
}

/// The text of warnings.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&lines).into_owned()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Collects the warnings of this thread until the guard is dropped.
fn warnings() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

// All tasks are on this thread, which has the subscriber.
#[tokio::test]
async fn a_count_that_panics_is_reported_and_the_last_values_stay_until_the_next_one() {
    let (lines, _guard) = warnings();
    let telemetry = crate::scraped("panics");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    telemetry.observe_queue(move || {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(call != 1, "the count panics");
            if call == 0 { vec![waiting("patch", 2, 90)] } else { Vec::new() }
        }
    });
    let (begun, patch) = (Instant::now(), || values(&scrape(&telemetry), QUEUE, "patch"));
    let warning = "the backlog of `observe_queue` could not be counted";
    poll::until_async(TIMEOUT, async || lines.text().contains(warning)).await;
    assert_eq!(patch(), [Some(2.0), Some(90.0)], "of the first count");
    poll::until_async(TIMEOUT, async || patch() == [Some(0.0), Some(0.0)]).await;
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    assert!(begun.elapsed() > Duration::from_secs(9), "once in five seconds");
    assert_eq!(lines.text().matches(warning).count(), 1, "{}", lines.text());
    drop(telemetry);
}

#[test]
fn outside_of_a_runtime_nothing_is_observed_and_a_warning_has_the_remedy() {
    let (lines, _guard) = warnings();
    let telemetry = crate::scraped("no-runtime");
    telemetry.observe_queue(|| async { vec![waiting("patch", 2, 90)] });
    telemetry.observe_approvals(|| async { vec![waiting("patch", 2, 90)] });
    let text = lines.text();
    for method in ["observe_queue", "observe_approvals"] {
        let warning = format!("call `{method}` inside a tokio runtime");
        assert_eq!(text.matches(&warning).count(), 1, "{text}");
    }
    let scrape = scrape(&telemetry);
    for names in [QUEUE, APPROVALS] {
        assert_eq!(values(&scrape, names, "patch"), [None, None]);
    }
}
