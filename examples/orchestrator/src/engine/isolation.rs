//! Isolation of runs that may have crashed the process.
//!
//! A crash has one cause, but all runs in flight have it in their record. A run that was in flight
//! in repeated crashes is executed alone for a limited time: if it is the cause, the next crash
//! blames it and no other run.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Maximum time to wait for the other runs, and maximum time in which the other runs wait.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The runs that are executed together.
#[derive(Debug, Default)]
pub(super) struct Isolation(Arc<RwLock<()>>);

/// Permits a segment to execute.
#[derive(Debug)]
pub(super) enum Permit {
    Shared {
        _guard: OwnedRwLockReadGuard<()>,
    },
    Alone {
        guard: OwnedRwLockWriteGuard<()>,
    },
    /// The other runs did not finish in time.
    Unguarded,
}

impl Isolation {
    /// Waits until a run can execute: `alone` without other runs, else together with them.
    pub(super) async fn enter(&self, alone: bool) -> Permit {
        if !alone {
            return Permit::Shared { _guard: Arc::clone(&self.0).read_owned().await };
        }
        match tokio::time::timeout(MAX_WAIT, Arc::clone(&self.0).write_owned()).await {
            Ok(guard) => Permit::Alone { guard },
            Err(_) => Permit::Unguarded,
        }
    }
}

impl Permit {
    /// Lets the other runs continue if the run has been alone for too long. Never returns.
    pub(super) async fn share_later(&mut self) -> Infallible {
        if matches!(self, Self::Alone { .. }) {
            tokio::time::sleep(MAX_WAIT).await;
            if let Self::Alone { guard } = std::mem::replace(self, Self::Unguarded) {
                *self = Self::Shared { _guard: guard.downgrade() };
            }
        }
        std::future::pending().await
    }
}
