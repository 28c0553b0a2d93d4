//! The store in an SQLite file: one writer that commits in groups (WAL, `synchronous=FULL`), separate readers.
//!
//! A commit costs an `fsync`; committing the statements of all callers that wait together is what makes ten thousand
//! concurrent runs a matter of seconds. Nothing is answered before it is on the disk.

mod approvals;
mod incidents;
mod runs;
mod workflows;
mod writer;

use super::{Result, Store};
use crate::clock::Timestamp;
use async_trait::async_trait;
use hub_otel::db::Db;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use writer::Writer;

/// A connection, as the writer hands it to a statement.
type Connection = sqlx::SqliteConnection;

/// The store in an SQLite database; cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    readers: Db<Sqlite>,
    writer: Writer,
}

impl SqliteStore {
    /// Opens a database file, or creates it; `:memory:` is one that ends with the process.
    ///
    /// # Errors
    /// When it cannot be opened, written, or brought to this version's tables.
    pub async fn open(database: &str) -> Result<Self> {
        let memory = database == ":memory:";
        let options = if memory {
            SqliteConnectOptions::from_str("sqlite::memory:")?
        } else {
            SqliteConnectOptions::new().filename(Path::new(database)).create_if_missing(true)
        };
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2))
            .pragma("wal_autocheckpoint", "4000");
        // An in-memory database belongs to its connection, which must neither idle out nor grow old.
        let single =
            || SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool: SqlitePool = single().connect_with(options.clone()).await?;
        sqlx::migrate!().run(&pool).await.map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
        let readers = if memory {
            pool.clone()
        } else {
            SqlitePoolOptions::new()
                .max_connections(4)
                .acquire_timeout(Duration::from_secs(10))
                .connect_lazy_with(options.read_only(true))
        };
        let store = Self { readers: Db::new(readers), writer: Writer::start(Db::new(pool)) };
        store.touch().await?;
        Ok(store)
    }

    /// The pool of the one connection that writes: for tests that take it away.
    #[must_use]
    pub fn writing_pool(&self) -> &SqlitePool {
        self.writer.pool()
    }

    /// Proves that a transaction can be committed.
    async fn touch(&self) -> Result<()> {
        self.writer
            .write("UPDATE writable", (), |connection, ()| {
                Box::pin(async move {
                    let touch =
                        sqlx::query("UPDATE writable SET checked_at = ?1").bind(Timestamp::now());
                    touch.execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn check(&self) -> Result<()> {
        sqlx::query("SELECT 1 FROM workflows LIMIT 1").fetch_optional(&self.readers).await?;
        // A writer that has just written needs no other proof.
        if self.writer.is_proven() { Ok(()) } else { self.touch().await }
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}
