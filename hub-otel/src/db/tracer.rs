//! [`StatementTracer`]: traces the statements of one database.

use crate::db::operation::{Operation, StartTime};
use crate::db::system::System;
use crate::instrumentation::InstanceSource;
use opentelemetry::trace::SpanContext;
use sqlx::Error;
use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

/// State shared by the pool, its connections and its transactions.
#[derive(Debug, Clone)]
pub(super) struct StatementTracer {
    pub(super) system: Arc<System>,
    pub(super) source: InstanceSource,
}

impl StatementTracer {
    /// Starts the operation of a statement; `None` without telemetry.
    pub(super) fn start(&self, sql: &str) -> Option<Operation> {
        self.start_linked(sql, Vec::new())
    }

    fn start_linked(&self, sql: &str, links: Vec<SpanContext>) -> Option<Operation> {
        let instance = self.source.resolve()?;
        Some(Operation::start(instance, &self.system, sql, links))
    }

    /// Traces a statement with one result; `has_row` returns `true` if the result is a row.
    pub(super) async fn trace<T>(
        self,
        sql: impl AsRef<str>,
        has_row: impl FnOnce(&T) -> bool,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        trace_future(self.start(sql.as_ref()), has_row, future).await
    }

    /// Traces a statement that runs only if a connection is idle: `None` leaves no span.
    pub(super) async fn trace_if_idle<T>(
        self,
        sql: &str,
        future: impl Future<Output = Result<Option<T>, Error>>,
    ) -> Result<Option<T>, Error> {
        let start = StartTime::now();
        let result = future.await;
        let ran = !matches!(result, Ok(None));
        if let Some(instance) = self.source.resolve().filter(|_| ran) {
            let operation = Operation::since(instance, &self.system, sql, start);
            match &result {
                Ok(_) => operation.succeed(),
                Err(error) => operation.fail(error),
            }
        }
        result
    }

    /// Traces a statement with links to other spans.
    pub(super) async fn trace_linked<T>(
        self,
        sql: &str,
        links: Vec<SpanContext>,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        trace_future(self.start_linked(sql, links), |_| false, future).await
    }
}

async fn trace_future<T>(
    operation: Option<Operation>,
    has_row: impl FnOnce(&T) -> bool,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(mut operation) = operation else { return future.await };
    let mut future = pin!(future);
    let result = poll_fn(|task| operation.poll(|| future.as_mut().poll(task))).await;
    match &result {
        Ok(value) => {
            if has_row(value) {
                operation.count_row();
            }
            operation.succeed();
        }
        Err(error) => operation.fail(error),
    }
    result
}
