//! Database client spans and metrics: [`Db`], a sqlx pool whose statements are traced and whose
//! connections are counted.
//!
//! `Db` is itself an sqlx `Executor`, so `query_as(…).fetch_all(&db)` and transactions need no
//! change. Bound values are never read, and the text of a statement is never exported: only its
//! summary (`SELECT workflow_runs`), made of keywords and table names.

mod acquire;
mod batch;
mod connection;
mod connections;
mod error;
mod executor;
mod metrics;
mod operation;
mod pool;
mod statement;
mod summary;
mod system;
mod tracer;
mod transaction;

pub use crate::db::batch::BatchMember;
pub use crate::db::connection::Connection;
pub use crate::db::pool::Db;
pub use crate::db::transaction::Transaction;
