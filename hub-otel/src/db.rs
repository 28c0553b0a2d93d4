//! Database client spans and metrics: [`Db`], a sqlx pool whose statements are traced.
//!
//! One boundary for every statement, because `Db` is itself an sqlx `Executor`: `query_as(…).fetch_all(&db)` and
//! transactions stay as they are. What is bound to a statement is never looked at, and a statement's text is never
//! exported: only its summary (`SELECT workflow_runs`), made of keywords and table names.

mod acquire;
mod batch;
mod call;
mod connection;
mod error;
mod executor;
mod metrics;
mod pool;
mod statement;
mod summary;
mod system;
mod transaction;

pub use crate::db::batch::Caller;
pub use crate::db::connection::Connection;
pub use crate::db::pool::Db;
pub use crate::db::transaction::Transaction;
