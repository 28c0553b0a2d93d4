//! Spans for connections that could not be acquired.
//!
//! Acquiring a connection is not a database operation, so a successful one has no span. A failure
//! is what an alert on a lost database needs: it is recorded like a failed statement, with the time
//! of the call as its start.

use crate::db::operation::{Operation, StartTime};
use crate::db::tracer::StatementTracer;
use sqlx::Error;
use std::future::Future;

/// A call that waits for a connection. Dropped before it is done, it is recorded as cancelled.
struct PendingAcquire<'a> {
    tracer: &'a StatementTracer,
    start: StartTime,
    done: bool,
}

impl PendingAcquire<'_> {
    fn operation(&self) -> Option<Operation> {
        let instance = self.tracer.source.resolve()?;
        Some(Operation::without_statement(instance, &self.tracer.system, self.start))
    }
}

impl Drop for PendingAcquire<'_> {
    fn drop(&mut self) {
        if !self.done {
            // An operation that is dropped while it waits ends as cancelled.
            drop(self.operation());
        }
    }
}

/// Awaits `connection`, and records a failure or a cancellation.
pub(super) async fn acquire<T>(
    tracer: &StatementTracer,
    connection: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut pending = PendingAcquire { tracer, start: StartTime::now(), done: false };
    let result = connection.await;
    pending.done = true;
    if let Err(error) = &result
        && let Some(operation) = pending.operation()
    {
        operation.fail(error);
    }
    result
}
