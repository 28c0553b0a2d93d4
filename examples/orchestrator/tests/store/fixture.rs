//! The stores of the suite.

use hub_otel_tests::postgres::Cluster;
use orchestrator::store::Store;
use orchestrator::store::postgres::PostgresStore;
use orchestrator::store::sqlite::SqliteStore;

/// A store, with access to its tables.
#[async_trait::async_trait]
pub(crate) trait TestStore: Store + Clone {
    /// Executes SQL that both databases understand.
    async fn execute(&self, sql: &'static str);
    /// Selects one number.
    async fn number(&self, sql: &'static str) -> i64;
}

#[async_trait::async_trait]
impl TestStore for SqliteStore {
    async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.writing_pool()).await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.writing_pool()).await.unwrap()
    }
}

#[async_trait::async_trait]
impl TestStore for PostgresStore {
    async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.pool()).await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }
}

/// A new SQLite database in memory.
pub(crate) async fn memory() -> SqliteStore {
    SqliteStore::open(":memory:").await.unwrap()
}

/// A new PostgreSQL database. `None` if PostgreSQL is not installed.
pub(crate) async fn postgres() -> Option<PostgresStore> {
    let url = Cluster::shared()?.create_database().await;
    Some(PostgresStore::open(&url).await.unwrap())
}
