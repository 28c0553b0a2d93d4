//! What runs behind a guard, and how it ends: all signals at once, under one deadline, exactly once.

use crate::config::{Config, Signal};
use crate::export::accounting::{Ledger, reason};
use crate::export::console::Console;
use crate::export::diagnostics::Voice;
use crate::export::encode::Record;
use crate::export::metrics::periodic_push::Flush;
use crate::export::pipeline::Line;
use crate::export::retry::Phase;
use crate::export::runtime::Private;
use crate::instance::Instance;
use crate::telemetry::report::Report;
use crate::telemetry::shutdown_message as farewell;
use crate::telemetry::shutdown_message::Peers;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::SpanData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// How much longer than its deadline a caller waits for the thread that keeps it.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// The parts of one instance.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) instance: Arc<Instance>,
    pub(crate) traces: SdkTracerProvider,
    pub(crate) metrics: SdkMeterProvider,
    pub(crate) logs: Option<SdkLoggerProvider>,
    pub(crate) ledgers: Vec<(Signal, Arc<Ledger>)>,
    pub(crate) peers: Peers,
    pub(crate) spans: Option<Line<SpanData>>,
    pub(crate) records: Option<Line<Record>>,
    pub(crate) push: Option<Arc<Flush>>,
    pub(crate) console: Option<Arc<Console>>,
    pub(crate) metrics_addr: Option<SocketAddr>,
    pub(crate) tell: watch::Sender<Phase>,
    pub(crate) private: Private,
    pub(crate) tasks: Mutex<Option<JoinSet<()>>>,
    pub(crate) shutdown: Mutex<Option<Report>>,
    pub(crate) finished: Notify,
    pub(crate) finished_blocking: Condvar,
    pub(crate) voice: Arc<Voice>,
    /// Whether this is the process' own.
    pub(crate) installed: AtomicBool,
    /// Whether somebody took its layer.
    pub(crate) layered: AtomicBool,
    #[cfg(feature = "process")]
    pub(crate) watches: Mutex<Vec<crate::process::Sampler>>,
}

impl Inner {
    pub(crate) fn report(&self, elapsed: Duration) -> Report {
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

    pub(crate) async fn flush(&self, within: Duration) -> Report {
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
    pub(crate) fn begin(self: &Arc<Self>, within: Duration) {
        if self.private.is_orphaned() {
            return;
        }
        let Some(mut tasks) = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take()
        else {
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
            let _ = timeout_at(deadline + GRACE / 2, async {
                while tasks.join_next().await.is_some() {}
            })
            .await;
        });
    }

    /// Waits for the shutdown to end, on any runtime.
    pub(crate) async fn wait(&self) -> Report {
        loop {
            let finished = self.finished.notified();
            if let Some(report) = self.ended() {
                return report;
            }
            finished.await;
        }
    }

    /// The report, once there is one; at once in a child process, which has nobody to wait for.
    pub(crate) fn ended(&self) -> Option<Report> {
        if self.private.is_orphaned() {
            return Some(Report::default());
        }
        self.shutdown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn wait_blocking(&self, within: Duration) -> Report {
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
