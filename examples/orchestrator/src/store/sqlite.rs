//! Store in an SQLite file: one writer with group commits (WAL, `synchronous=FULL`), separate
//! readers.
//!
//! A commit costs an `fsync`. Group commits of all waiting callers make ten thousand concurrent
//! runs take seconds. A write completes after the `fsync`.

mod approvals;
mod file;
mod incidents;
mod leases;
mod retention;
mod runs;
mod statements;
mod workflows;
mod writer;

use super::{Result, Store};
use crate::clock::Timestamp;
use async_trait::async_trait;
use file::{OpenedFile, create_private};
use hub_otel::db::Db;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use writer::Writer;

/// Store in an SQLite database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    readers: Db<Sqlite>,
    /// A connection for health checks, which do not wait for the other readers.
    probe: Db<Sqlite>,
    writer: Writer,
}

impl SqliteStore {
    /// Opens or creates a database file. `:memory:` is a database in memory.
    ///
    /// # Errors
    /// The database cannot be opened, migrated or written.
    pub async fn open(database: &str) -> Result<Self> {
        let memory = database == ":memory:";
        let options = if memory {
            SqliteConnectOptions::from_str("sqlite::memory:")?
        } else {
            create_private(Path::new(database)).map_err(sqlx::Error::Io)?;
            SqliteConnectOptions::new().filename(Path::new(database))
        };
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2))
            .pragma("wal_autocheckpoint", "4000");
        // An in-memory database belongs to its connection, which must not be closed.
        let single =
            || SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool: SqlitePool = single().connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite")
            .run(&pool)
            .await
            .map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
        // The migration has read the database, so that the write-ahead log exists.
        let names = [database.to_owned(), format!("{database}-wal")];
        let files = match memory {
            true => Vec::new(),
            false => names
                .iter()
                .map(|name| OpenedFile::of(Path::new(name)))
                .collect::<Result<_, _>>()
                .map_err(sqlx::Error::Io)?,
        };
        let reading = |connections| match memory {
            true => pool.clone(),
            false => SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(5))
                .connect_lazy_with(options.clone().read_only(true)),
        };
        let (mut readers, mut probe) = (Db::new(reading(4)), Db::new(reading(1)));
        // In memory there is only one pool.
        if !memory {
            readers = readers.pool_name("readers");
            probe = probe.pool_name("health");
        }
        let writer = Db::new(pool.clone()).pool_name("writer");
        let store = Self { readers, probe, writer: Writer::start(writer, files) };
        store.check_writable().await?;
        Ok(store)
    }

    /// The pool of the writing connection, for tests.
    #[must_use]
    pub fn writing_pool(&self) -> &SqlitePool {
        self.writer.pool()
    }

    /// Returns the steps by which SQLite executes a query.
    #[cfg(test)]
    async fn query_plan(&self, query: &str) -> Vec<String> {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let steps = sqlx::query(explain).fetch_all(self.writing_pool()).await.unwrap();
        steps.iter().map(|step| sqlx::Row::get(step, "detail")).collect()
    }

    /// Checks that a transaction can be committed.
    async fn check_writable(&self) -> Result<()> {
        self.writer
            .write("UPDATE writable", (), |connection, ()| {
                Box::pin(async move {
                    let update =
                        sqlx::query("UPDATE writable SET checked_at = ?1").bind(Timestamp::now());
                    update.execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    /// The file is on the machine of its processes.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn check(&self) -> Result<()> {
        self.writer.check_file()?;
        sqlx::query("SELECT 1 FROM workflows LIMIT 1")
            .fetch_optional(self.probe.untraced())
            .await?;
        // A recent commit is sufficient.
        if self.writer.is_healthy() { Ok(()) } else { self.check_writable().await }
    }

    async fn close(&self) {
        self.writer.close().await;
        // The last connection that is closed must be the writing one: a reader cannot move the
        // write-ahead log into the database file.
        self.readers.close().await;
        self.probe.close().await;
        let pool = self.writer.pool();
        if let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await {
            tracing::warn!(%error, "the write-ahead log stays beside the database file");
        }
        pool.close().await;
    }
}
