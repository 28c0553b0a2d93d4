//! Delivers one request: attempt after attempt, until it is taken, refused, or given up at shutdown's deadline.

use crate::config::Signal;
use crate::export::accounting::reason;
use crate::export::diagnostics::Voice;
use crate::export::queue::Settlement;
use crate::export::transport::{Reply, Transport, Why};
use backon::BackoffBuilder;
use backon::ExponentialBuilder;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

/// What everybody on the private runtime is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Deliver what is there, until the deadline.
    Draining {
        since: Instant,
        deadline: Instant,
    },
}

/// The shortest wait between two attempts.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait between two attempts of our own.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// The longest Retry-After that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How long shutdown tries to reach a Collector that never answered anything.
const NEVER_REACHED: Duration = Duration::from_secs(1);

/// Called before each attempt of a test.
pub(crate) type Hook = Arc<dyn Fn(Signal) + Send + Sync>;

/// What is known of one Collector, by all signals that go to it.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    answered: AtomicBool,
    /// Why it could not be reached, the last time.
    absence: Mutex<String>,
}

impl Peer {
    /// Whether it ever answered anything.
    pub(crate) fn answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Why it could not be reached: the last cause, as the system words it.
    pub(crate) fn absence(&self) -> String {
        self.absence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn absent(&self, text: &str) {
        let cause = text.rsplit(": ").next().unwrap_or(text).to_owned();
        *self.absence.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }
}

/// The way of one signal to its Collector.
pub(crate) struct Courier {
    pub(crate) signal: Signal,
    pub(crate) transport: Transport,
    /// As it is shown to people.
    pub(crate) endpoint: String,
    pub(crate) attempt: Duration,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) voice: Arc<Voice>,
    /// Shared by the signals that go to the same Collector.
    pub(crate) peer: Arc<Peer>,
    pub(crate) hook: Option<Hook>,
}

impl Courier {
    /// Delivers `body`.
    pub(crate) async fn deliver(&self, body: Bytes) -> Settlement {
        let mut backoff = ExponentialBuilder::default()
            .with_min_delay(SHORTEST_BACKOFF)
            .with_max_delay(LONGEST_BACKOFF)
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let (wait, why) = match self.attempt(body.clone()).await {
                Reply::Accepted { rejected, message } => {
                    self.answered();
                    if rejected > 0 {
                        self.complain(
                            "rejected",
                            &format!("the Collector rejected {rejected} {}", self.signal.items()),
                            &message,
                        );
                    }
                    return Settlement::Accepted { rejected };
                }
                Reply::Refused { reason } => {
                    self.answered();
                    self.complain(
                        &reason,
                        &format!("{} refused a batch of {}", self.endpoint, self.signal.items()),
                        &reason,
                    );
                    return Settlement::Failed(reason);
                }
                Reply::Again { wait, why } => (wait, why),
            };
            if wait.is_some_and(|wait| wait > LONGEST_RETRY_AFTER) {
                self.complain(
                    "retry-after",
                    &format!("{} asks to wait for longer than a minute", self.endpoint),
                    "the batch is dropped",
                );
                return Settlement::Dropped(reason::RETRY_AFTER);
            }
            if let Why::Trouble(_) = why {
                self.answered();
            }
            self.report(&why);
            if self.is_hopeless(&why) {
                return Settlement::Dropped(reason::NO_COLLECTOR);
            }
            // Our own waits end when shutdown begins; a wait that the Collector asked for does not.
            let pause = match wait {
                // A date that has passed is no leave to hammer.
                Some(wait) => wait.max(SHORTEST_BACKOFF),
                None => backoff.next().unwrap_or(LONGEST_BACKOFF).min(LONGEST_BACKOFF),
            };
            let mut phase = self.phase.clone();
            let running = *phase.borrow_and_update() == Phase::Running;
            tokio::select! {
                () = sleep(pause) => {}
                _ = phase.changed(), if wait.is_none() && running => {}
            }
        }
    }

    async fn attempt(&self, body: Bytes) -> Reply {
        if let Some(hook) = &self.hook {
            hook(self.signal);
        }
        match timeout(self.attempt, self.transport.send(body)).await {
            Ok(reply) => reply,
            Err(_) => {
                self.transport.reconnect();
                Reply::Again {
                    wait: None,
                    why: Why::Trouble(format!("no answer within {:?}", self.attempt)),
                }
            }
        }
    }

    fn answered(&self) {
        self.peer.answered.store(true, Relaxed);
    }

    /// At shutdown, a Collector that never was there is not waited for until the deadline.
    fn is_hopeless(&self, why: &Why) -> bool {
        let Phase::Draining { since, .. } = *self.phase.borrow() else { return false };
        matches!(why, Why::Unreachable(_))
            && !self.peer.answered()
            && since.elapsed() >= NEVER_REACHED
    }

    fn report(&self, why: &Why) {
        match why {
            Why::Unreachable(text) => {
                self.peer.absent(text);
                self.voice.once(
                    &format!("unreachable {}", self.endpoint),
                    &format!(
                        "no Collector at {} ({text}); the program runs on, telemetry is kept and tried again",
                        self.endpoint
                    ),
                );
            }
            Why::Trouble(text) => self.complain(
                "trouble",
                &format!("{} of {} are tried again", self.signal, self.endpoint),
                text,
            ),
        }
    }

    fn complain(&self, matter: &str, text: &str, detail: &str) {
        let detail: String = detail.chars().take(200).collect();
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        self.voice.complain(&format!("{} {matter}", self.signal), &format!("{text}{detail}"));
    }
}
