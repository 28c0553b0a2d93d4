//! The export loop of one signal: takes batches from the queue, encodes them, delivers several at a time.

use crate::export::accounting::reason;
use crate::export::diagnostics::Voice;
use crate::export::queue::{Batch, Queue, Settlement};
use crate::export::retry::{Courier, Phase};
use bytes::Bytes;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::sleep_until;
use tokio::time::timeout_at;

/// Batches on their way at once: throughput is this many batches per round trip, so that a slow Collector does not
/// fill the queue.
const AT_ONCE: usize = 8;
/// The same at shutdown, when a backlog has only until the deadline: a full queue is on its way in one round.
const AT_ONCE_DRAINING: usize = 32;

/// What turns a batch into a request.
pub(crate) type Encode<T> = Arc<dyn Fn(Vec<T>) -> Option<Bytes> + Send + Sync>;

/// The loop and what it needs.
pub(crate) struct Worker<T> {
    pub(crate) queue: Arc<Queue<T>>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) encode: Encode<T>,
    pub(crate) delay: Duration,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Asks for everything that is there now.
    pub(crate) flush: Arc<Notify>,
    pub(crate) voice: Arc<Voice>,
}

impl<T: Send + 'static> Worker<T> {
    /// Runs until shutdown is over.
    pub(crate) async fn run(mut self) {
        let mut under_way = JoinSet::new();
        let mut due = None;
        let mut losses = Losses::default();
        loop {
            let draining = match *self.phase.borrow_and_update() {
                Phase::Running => None,
                Phase::Draining { deadline, .. } => Some(deadline),
            };
            let enough = draining.is_some() || due.is_some_and(|due| due <= Instant::now());
            let most = if draining.is_some() { AT_ONCE_DRAINING } else { AT_ONCE };
            while under_way.len() < most {
                let Some(batch) = self.queue.take(enough) else { break };
                under_way.spawn(deliver(
                    batch,
                    Arc::clone(&self.encode),
                    Arc::clone(&self.courier),
                ));
            }
            losses.report(&self.queue, &self.voice);
            let waiting = self.queue.waiting();
            if waiting == 0 {
                due = None;
            } else if enough || due.is_none() {
                due = Some(Instant::now() + self.delay);
            }
            if let Some(deadline) = draining {
                if waiting == 0 && under_way.is_empty() {
                    break;
                }
                if timeout_at(deadline, under_way.join_next()).await.is_err() {
                    break;
                }
                continue;
            }
            let full = under_way.len() >= AT_ONCE;
            let wake = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = self.queue.wake.notified(), if !full => {}
                () = self.flush.notified() => due = Some(Instant::now()),
                () = sleep_until(wake), if due.is_some() && !full => {}
                // Nothing may move for long while all are under way, but a loss is to be told.
                () = sleep(Duration::from_secs(1)), if full => {}
                Some(_) = under_way.join_next() => {}
                changed = self.phase.changed() => if changed.is_err() { break },
            }
        }
        // Past the deadline: what is left is given up, and written down as such.
        self.queue.abandoned.store(true, Relaxed);
        under_way.abort_all();
        while under_way.join_next().await.is_some() {}
        self.queue.abandon(reason::DEADLINE);
        self.queue.settled.notify_waiters();
    }
}

async fn deliver<T: Send + 'static>(mut batch: Batch<T>, encode: Encode<T>, courier: Arc<Courier>) {
    let items = std::mem::take(&mut batch.items);
    // A panic anywhere below drops the batch, which writes it down as failed.
    match catch_unwind(AssertUnwindSafe(|| encode(items))) {
        Ok(Some(body)) => {
            let settlement = courier.deliver(body).await;
            batch.settle(settlement);
        }
        Ok(None) => batch.settle(Settlement::Failed(Cow::Borrowed("encoding"))),
        Err(_) => batch.settle(Settlement::Failed(Cow::Borrowed(reason::PANIC))),
    }
}

/// One warning when a loss begins, one when it ends, at most one of each a minute.
#[derive(Debug, Default)]
struct Losses {
    lost: usize,
    since: Option<Instant>,
}

impl Losses {
    fn report<T>(&mut self, queue: &Queue<T>, voice: &Voice) {
        let (lost, room) = queue.losses();
        let signal = queue.signal;
        if lost > 0 {
            if self.since.is_none() {
                voice.complain(
                    &format!("{signal} loss"),
                    &format!(
                        "the queue of {signal} is full: the newest {} are dropped and counted",
                        signal.items()
                    ),
                );
                self.since = Some(Instant::now());
            }
            self.lost += lost;
        } else if room && self.since.is_some_and(|since| since.elapsed() > Duration::from_secs(1)) {
            voice.complain(
                &format!("{signal} loss over"),
                &format!(
                    "the queue of {signal} has room again; {} {} were dropped",
                    self.lost,
                    signal.items()
                ),
            );
            *self = Self::default();
        }
    }
}
