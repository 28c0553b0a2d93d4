//! The runs in flight: how to reach the task of a run, and how to wait for all of them.

use super::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// Why a segment has to stop where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The run was cancelled; the store says so already.
    Cancelled,
    /// The process goes; the run is to be handed back.
    HandBack,
}

/// How a segment is reached.
#[derive(Debug)]
pub(super) struct Signals {
    stop: watch::Sender<Option<Stop>>,
    wake: Notify,
}

impl Signals {
    /// Waits to be told to stop.
    pub(super) async fn stopped(&self) -> Stop {
        let mut stop = self.stop.subscribe();
        loop {
            if let Some(why) = *stop.borrow_and_update() {
                return why;
            }
            if stop.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for news in the store.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// The runs in flight; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Flight {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    runs: Mutex<HashMap<String, Arc<Signals>>>,
    landed: Notify,
}

impl Flight {
    /// A run takes off. It has landed when the ticket is dropped.
    pub(super) fn board(&self, id: &str) -> Ticket {
        let signals = Arc::new(Signals { stop: watch::Sender::new(None), wake: Notify::new() });
        lock(&self.shared.runs).insert(id.to_owned(), Arc::clone(&signals));
        Ticket { flight: self.clone(), id: id.to_owned(), signals }
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.shared.runs).len()
    }

    /// Tells a run's task to stop; `false` when it has none.
    pub(super) fn stop(&self, id: &str, why: Stop) -> bool {
        match lock(&self.shared.runs).get(id) {
            Some(signals) => {
                signals.stop.send_replace(Some(why));
                true
            }
            None => false,
        }
    }

    pub(super) fn stop_all(&self, why: Stop) {
        for signals in lock(&self.shared.runs).values() {
            signals.stop.send_if_modified(|stop| stop.is_none() && stop.replace(why).is_none());
        }
    }

    /// Tells a run's task that the store has news for it.
    pub(super) fn wake(&self, id: &str) {
        if let Some(signals) = lock(&self.shared.runs).get(id) {
            signals.wake.notify_one();
        }
    }

    /// Waits until no run is in flight.
    pub(super) async fn landed(&self) {
        loop {
            let mut landed = std::pin::pin!(self.shared.landed.notified());
            // Listen first, then look: a landing in between is not missed.
            landed.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            landed.await;
        }
    }
}

/// A run's place among those in flight.
#[derive(Debug)]
pub(super) struct Ticket {
    flight: Flight,
    id: String,
    signals: Arc<Signals>,
}

impl Ticket {
    pub(super) fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut runs = lock(&self.flight.shared.runs);
        // An approved run may have taken off again before the segment before it was cleared away.
        if runs.get(&self.id).is_some_and(|signals| Arc::ptr_eq(signals, &self.signals)) {
            runs.remove(&self.id);
        }
        let empty = runs.is_empty();
        drop(runs);
        if empty {
            self.flight.shared.landed.notify_waiters();
        }
    }
}
