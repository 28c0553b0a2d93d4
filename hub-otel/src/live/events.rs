//! Server-sent events: the changes since the client's last one.
//!
//! A client has a cursor and no queue. The next message is built after the last one was accepted;
//! a client that accepts none for some time is disconnected.

use super::body::LiveBody;
use super::server::LiveServer;
use super::store::{Cursor, SelectedRun, Updates};
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};

/// Shortest time between two messages.
const INTERVAL: Duration = Duration::from_millis(150);
/// Time without a change after which an empty comment is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Time in which a client must accept a message.
const SLOW: Duration = Duration::from_secs(10);

/// Position of a client: the process, and the changes that the client has.
#[derive(Debug, Clone, Default)]
pub(super) struct Position {
    pub(super) epoch: String,
    pub(super) cursor: Cursor,
}

impl Position {
    /// Parses `epoch.runs.detail`, the id of an event.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let mut parts = id.split('.');
        let epoch = parts.next()?.to_owned();
        let (runs, detail) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { epoch, cursor: Cursor { runs, detail } })
    }

    fn id(&self) -> String {
        format!("{}.{}.{}", self.epoch, self.cursor.runs, self.cursor.detail)
    }
}

/// One message.
#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    /// Server time in microseconds.
    now: u64,
    /// The client must discard what it has.
    reset: bool,
    #[serde(flatten)]
    updates: Updates<'a>,
}

impl LiveServer {
    /// Returns the changes after `position` as JSON and moves it. The second value is `false` if
    /// more changes follow at once.
    pub(super) fn message(
        &self,
        position: &mut Position,
        run: Option<&SelectedRun>,
    ) -> (String, bool) {
        self.drain();
        let store = self.store();
        let is_outdated = position.epoch != self.epoch || store.is_outdated(position.cursor);
        if is_outdated {
            *position = Position { epoch: self.epoch.clone(), cursor: Cursor::default() };
        }
        let (updates, next, is_complete) = store.updates(position.cursor, run);
        position.cursor = next;
        let now = super::row::micros(SystemTime::now());
        let id = position.id();
        let message = Message { id: &id, now, reset: is_outdated, updates };
        (serde_json::to_string(&message).unwrap_or_default(), is_complete)
    }

    /// Starts the events of one client.
    pub(super) fn events(
        self: &Arc<Self>,
        position: Position,
        run: Option<SelectedRun>,
        slot: OwnedSemaphorePermit,
        abort: Option<Arc<Notify>>,
    ) -> LiveBody {
        let (sender, receiver) = mpsc::channel(1);
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let is_slow = server.send_events(position, run, sender).await;
            if let Some(abort) = abort.filter(|_| is_slow) {
                abort.notify_one();
            }
            drop(slot);
        });
        LiveBody::Events(receiver)
    }

    /// Sends events until the client is gone. Returns whether it was too slow.
    async fn send_events(
        self: Arc<Self>,
        mut position: Position,
        run: Option<SelectedRun>,
        sender: mpsc::Sender<Bytes>,
    ) -> bool {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let (message, is_complete) = self.message(&mut position, run.as_ref());
            let event = format!("id: {}\ndata: {message}\n\n", position.id());
            match timeout(SLOW, sender.send(Bytes::from(event))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return false,
                Err(_) => return true,
            }
            if !is_complete {
                tokio::task::yield_now().await;
                continue;
            }
            sleep(INTERVAL).await;
            loop {
                tokio::select! {
                    ended = changed.changed() => match ended {
                        Ok(()) => break,
                        Err(_) => return false,
                    },
                    () = sender.closed() => return false,
                    () = sleep(KEEP_ALIVE) => {
                        let comment = Bytes::from_static(b":\n\n");
                        match timeout(SLOW, sender.send(comment)).await {
                            Ok(Ok(())) => {}
                            Ok(Err(_)) => return false,
                            Err(_) => return true,
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        let position = Position::parse("a1b2.7.12").unwrap();
        assert_eq!(position.id(), "a1b2.7.12");
        assert_eq!(position.cursor, Cursor { runs: 7, detail: 12 });
        for invalid in ["", "a", "a.1", "a.b.c", "a.1.-1"] {
            assert!(Position::parse(invalid).is_none(), "{invalid}");
        }
    }
}
