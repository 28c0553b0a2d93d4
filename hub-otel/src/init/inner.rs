//! What runs behind a guard, and how it ends: all signals at once, under one deadline, exactly once.

use super::config::{Config, Signal};
use super::console::Console;
use super::deliver::Phase;
use super::encode::Record;
use super::farewell::{self, Peers};
use super::ledger::{Ledger, reason};
use super::metrics::push::Flush;
use super::pipeline::Line;
use super::report::Report;
use super::runtime::Private;
use super::voice::Voice;
use crate::instance::Instance;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// How much longer than its deadline a caller waits for the thread that keeps it.
pub(super) const GRACE: Duration = Duration::from_millis(200);

/// The parts of one instance.
pub(crate) struct Inner {
    pub(super) config: Config,
    pub(super) instance: Arc<Instance>,
    pub(crate) traces: SdkTracerProvider,
    pub(crate) metrics: SdkMeterProvider,
    pub(crate) logs: Option<SdkLoggerProvider>,
    pub(super) ledgers: Vec<(Signal, Arc<Ledger>)>,
    pub(super) peers: Peers,
    pub(super) spans: Option<Line<SpanData>>,
    pub(super) records: Option<Line<Record>>,
    pub(super) push: Option<Arc<Flush>>,
    pub(super) console: Option<Arc<Console>>,
    pub(super) metrics_addr: Option<SocketAddr>,
    pub(super) tell: watch::Sender<Phase>,
    pub(super) private: Private,
    pub(super) tasks: Mutex<Option<JoinSet<()>>>,
    pub(super) shutdown: Mutex<Option<Report>>,
    pub(super) finished: Notify,
    pub(super) finished_blocking: Condvar,
    pub(super) voice: Arc<Voice>,
    /// Whether this is the process' own.
    pub(super) installed: AtomicBool,
    /// Whether somebody took its layer.
    pub(super) layered: AtomicBool,
    #[cfg(feature = "process")]
    pub(super) watches: Mutex<Vec<crate::process::Watch>>,
}

impl Inner {
    pub(super) fn report(&self, elapsed: Duration) -> Report {
        let mut report = Report { elapsed, ..Report::default() };
        for (signal, ledger) in &self.ledgers {
            let part = ledger.report();
            match signal {
                Signal::Traces => report.traces = part,
                Signal::Metrics => report.metrics = part,
                Signal::Logs => report.logs = part,
            }
        }
        report
    }

    pub(super) async fn flush(&self, within: Duration) -> Report {
        let began = Instant::now();
        let deadline = tokio::time::Instant::from_std(began + within);
        let push = self.push.as_ref().map(|push| {
            let asked = push.asked.fetch_add(1, Ordering::SeqCst) + 1;
            push.wake.notify_one();
            (push, asked)
        });
        let traces = flush_queue(self.spans.as_ref());
        let logs = flush_queue(self.records.as_ref());
        let metrics = async {
            let Some((push, asked)) = push else { return };
            loop {
                let rings = push.rings.notified();
                if push.done.load(Ordering::SeqCst) >= asked {
                    return;
                }
                rings.await;
            }
        };
        let _ = timeout_at(deadline, async { tokio::join!(traces, logs, metrics) }).await;
        if let Some(console) = &self.console {
            console.print(true);
        }
        self.report(began.elapsed())
    }

    /// Starts the shutdown, once.
    pub(super) fn begin(self: &Arc<Self>, within: Duration) {
        if self.private.is_orphaned() {
            return;
        }
        let Some(mut tasks) = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let began = Instant::now();
        let since = tokio::time::Instant::from_std(began);
        let deadline = since + within;
        let inner = Arc::clone(self);
        let finish = Finish(Arc::clone(self), began);
        self.private.handle().spawn(async move {
            let _finish = finish;
            if let Some((queue, _)) = &inner.spans {
                queue.close();
            }
            if let Some((queue, _)) = &inner.records {
                queue.close();
            }
            inner.tell.send_replace(Phase::Draining { since, deadline });
            // All signals at once: each keeps the deadline itself, this one is for a task that does not.
            let _ =
                timeout_at(deadline + GRACE / 2, async { while tasks.join_next().await.is_some() {} }).await;
        });
    }

    /// Waits for the shutdown to end, on any runtime.
    pub(super) async fn wait(&self) -> Report {
        loop {
            let finished = self.finished.notified();
            if let Some(report) = self.ended() {
                return report;
            }
            finished.await;
        }
    }

    /// The report, once there is one; at once in a child process, which has nobody to wait for.
    pub(super) fn ended(&self) -> Option<Report> {
        if self.private.is_orphaned() {
            return Some(Report::default());
        }
        self.shutdown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn wait_blocking(&self, within: Duration) -> Report {
        if self.private.is_orphaned() {
            return Report::default();
        }
        let report = self.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
        let (report, _) = self
            .finished_blocking
            .wait_timeout_while(report, within + GRACE, |report| report.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        report.clone().unwrap_or_else(|| {
            // The thread that keeps the deadline did not get to run: what it still holds is lost to the caller.
            self.seal();
            self.report(within)
        })
    }

    /// Writes down what is pending as lost: shutdown is over, whoever still holds it.
    fn seal(&self) {
        for (_, ledger) in &self.ledgers {
            ledger.seal(reason::DEADLINE);
        }
    }
}

/// Ends the shutdown, however its task does: whoever waits must not wait for ever.
struct Finish(Arc<Inner>, Instant);

impl Drop for Finish {
    fn drop(&mut self) {
        let Self(inner, began) = self;
        inner.seal();
        let report = inner.report(began.elapsed());
        // An instance that is not the process' own speaks through its report alone.
        if inner.installed.load(Ordering::SeqCst) {
            inner.voice.say(&farewell::words(&report, &inner.config, &inner.peers));
        }
        *inner.shutdown.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        inner.finished.notify_waiters();
        inner.finished_blocking.notify_all();
        inner.private.stop();
    }
}

async fn flush_queue<T>(queue: Option<&Line<T>>) {
    let Some((queue, flush)) = queue else { return };
    let next = queue.next();
    loop {
        let settled = queue.settled.notified();
        if queue.is_settled_before(next) {
            return;
        }
        flush.notify_one();
        settled.await;
    }
}
