//! Waiting for a connection of the pool: told of only where it was in vain.
//!
//! To take a connection that is there is no database operation and makes no span. One that does not come in time is what
//! an alert on a lost database looks at: it is recorded like a statement that failed, from the moment it was asked for.

use crate::db::call::Call;
use crate::db::executor::Watcher;
use sqlx::Error;
use std::future::Future;
use std::time::Instant;
use std::time::SystemTime;

/// When something was begun, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) at: SystemTime,
    pub(super) instant: Instant,
}

impl Begun {
    pub(super) fn now() -> Self {
        Self { at: SystemTime::now(), instant: Instant::now() }
    }
}

/// A caller that waits. Dropped while it waits, it gave up.
struct Waiting<'a> {
    watcher: &'a Watcher,
    begun: Begun,
    over: bool,
}

impl Waiting<'_> {
    fn call(&self) -> Option<Call> {
        self.watcher
            .target
            .resolve()
            .map(|instance| Call::begun(instance, &self.watcher.system, self.begun))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.over {
            // A call that is dropped while it waits is cancelled.
            drop(self.call());
        }
    }
}

/// Watches `asked`, which gives a connection.
pub(super) async fn acquire<T>(
    watcher: &Watcher,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut waiting = Waiting { watcher, begun: Begun::now(), over: false };
    let result = asked.await;
    waiting.over = true;
    if let Err(error) = &result
        && let Some(call) = waiting.call()
    {
        call.failed(error);
    }
    result
}
