//! Spans of operations that consist of several statements.

use super::{Result, StoreError};
use hub_otel::db::Db;
use sqlx::Database;

/// Traces an operation of the store as one statement, named after `summary`.
pub(super) async fn traced<DB: Database, T>(
    db: &Db<DB>,
    summary: &'static str,
    operation: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut store_error = Ok(());
    let execute = async {
        operation.await.map_err(|error| match error {
            StoreError::Database(error) => error,
            StoreError::Closed => {
                store_error = Err(StoreError::Closed);
                sqlx::Error::PoolClosed
            }
            other => {
                let text = other.to_string();
                store_error = Err(other);
                sqlx::Error::Protocol(text)
            }
        })
    };
    let output = db.trace_statement(summary, execute).await;
    store_error?;
    Ok(output?)
}
