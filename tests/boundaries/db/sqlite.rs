//! SQLite, in a file of the test's own.

use crate::support::{BoundaryCapture, panic_quietly};
use futures_util::{FutureExt, TryStreamExt};
use hub_otel::db::Db;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Acquire, ConnectOptions, Executor, Row, Sqlite};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tempfile::TempDir;

struct Database {
    db: Db<Sqlite>,
    _folder: TempDir,
}

async fn database() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("c4n4ry.db"))
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(200))
        .connect_with(options.foreign_keys(true))
        .await
        .unwrap();
    sqlx::raw_sql("CREATE TABLE runs (id TEXT PRIMARY KEY, status TEXT NOT NULL)")
        .execute(&pool)
        .await
        .unwrap();
    Database { db: Db::new(pool), _folder: folder }
}

#[tokio::test]
async fn queries_need_no_change_and_each_is_a_span_with_its_summary() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    let insert =
        sqlx::query("INSERT INTO runs (id, status) VALUES (?, ?)").bind("c4n4ry").bind("RUNNING");
    assert_eq!(insert.execute(&db).await.unwrap().rows_affected(), 1);
    let all: Vec<(String, String)> =
        sqlx::query_as("SELECT id, status FROM runs").fetch_all(&db).await.unwrap();
    assert_eq!(all, [("c4n4ry".to_owned(), "RUNNING".to_owned())]);
    let none: Option<(String,)> = sqlx::query_as("SELECT id FROM runs WHERE id = ?")
        .bind("none")
        .fetch_optional(&db)
        .await
        .unwrap();
    assert!(none.is_none());
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&db).await.unwrap();
    assert_eq!(count, 1);

    capture.idle().await;
    assert_eq!(
        capture.tree(),
        "CLIENT INSERT runs db.collection.name=runs db.operation.name=INSERT \
         db.query.summary=INSERT runs db.system.name=sqlite\n\
         CLIENT SELECT runs db.collection.name=runs db.operation.name=SELECT \
         db.query.summary=SELECT runs db.response.returned_rows=0 db.system.name=sqlite\n\
         CLIENT SELECT runs db.collection.name=runs db.operation.name=SELECT \
         db.query.summary=SELECT runs db.response.returned_rows=1 db.system.name=sqlite\n\
         CLIENT SELECT runs db.collection.name=runs db.operation.name=SELECT \
         db.query.summary=SELECT runs db.response.returned_rows=1 db.system.name=sqlite\n"
    );
    assert_eq!(
        capture.table(),
        "db.client.operation.duration db.collection.name=runs db.operation.name=INSERT \
         db.query.summary=INSERT runs db.system.name=sqlite | 1\n\
         db.client.operation.duration db.collection.name=runs db.operation.name=SELECT \
         db.query.summary=SELECT runs db.system.name=sqlite | 3\n"
    );
}

#[tokio::test]
async fn a_transaction_shows_its_begin_its_statements_and_its_end() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    let mut tx = db.begin().await.unwrap();
    sqlx::query("INSERT INTO runs VALUES ('a', 'x')").execute(&mut *tx).await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    sqlx::query("DELETE FROM runs").execute(&mut *inner).await.unwrap();
    inner.rollback().await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    sqlx::query("DELETE FROM runs").execute(&mut *tx).await.unwrap();
    drop(tx);

    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&db).await.unwrap();
    assert_eq!(left, 1, "the dropped transaction was rolled back");

    capture.idle().await;
    let spans = capture.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "BEGIN",
            "INSERT runs",
            "SAVEPOINT",
            "DELETE runs",
            "ROLLBACK",
            "COMMIT",
            "BEGIN",
            "DELETE runs",
            "SELECT runs",
        ]
    );
}

#[tokio::test]
async fn errors_are_classified_so_that_a_unique_violation_is_not_a_lost_database() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    for _ in 0..2 {
        let _ = sqlx::query("INSERT INTO runs VALUES ('c4n4ry', 'x')").execute(&db).await;
    }
    assert!(sqlx::query("SELECT * FROM nowhere").fetch_all(&db).await.is_err());
    let held = db.acquire().await.unwrap();
    assert!(sqlx::query("UPDATE runs SET status = 'y'").execute(&db).await.is_err());
    drop(held);
    db.close().await;
    assert!(sqlx::query("DELETE FROM runs").execute(&db).await.is_err());

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT DELETE runs error.type=pool_closed ERROR\n\
         CLIENT INSERT runs db.response.status_code=1555 error.type=constraint ERROR\n\
         CLIENT INSERT runs\n\
         CLIENT SELECT nowhere db.response.status_code=1 error.type=statement ERROR\n\
         CLIENT UPDATE runs error.type=pool_timeout ERROR\n"
    );
    assert!(!capture.tree().contains("c4n4ry"), "{}", capture.tree());
    assert!(!capture.table().contains("c4n4ry"), "{}", capture.table());
}

#[tokio::test]
async fn a_dropped_query_is_cancelled_and_a_stream_dropped_after_a_row_is_not() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;
    sqlx::query("INSERT INTO runs VALUES ('a', 'x'), ('b', 'x')")
        .execute(db.untraced())
        .await
        .unwrap();

    let held = db.acquire().await.unwrap();
    let waiting = sqlx::query("UPDATE runs SET status = 'y'").execute(&db);
    assert!(tokio::time::timeout(Duration::from_millis(20), waiting).await.is_err());
    drop(held);
    let mut rows = sqlx::query("SELECT id FROM runs").fetch(&db);
    let first = rows.try_next().await.unwrap().unwrap();
    assert_eq!(first.get::<String, _>(0), "a");
    drop(rows);

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT SELECT runs db.response.returned_rows=1\n\
         CLIENT UPDATE runs error.type=cancelled ERROR\n"
    );
}

/// Acquiring a connection is not a database operation. A failure is what an alert needs.
#[tokio::test]
async fn a_failed_acquire_is_recorded_and_a_successful_one_is_not() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    let held = db.acquire().await.unwrap();
    assert!(matches!(db.acquire().await, Err(sqlx::Error::PoolTimedOut)));
    assert!(matches!(Acquire::acquire(&db).await, Err(sqlx::Error::PoolTimedOut)));
    assert!(matches!(Acquire::begin(&db).await, Err(sqlx::Error::PoolTimedOut)));
    assert!(db.begin().await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(20), db.acquire()).await.is_err());
    drop(held);
    drop(db.acquire().await.unwrap());

    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "CLIENT BEGIN error.type=pool_timeout ERROR\n\
         CLIENT sqlite error.type=cancelled ERROR\n\
         CLIENT sqlite error.type=pool_timeout ERROR\n\
         CLIENT sqlite error.type=pool_timeout ERROR\n\
         CLIENT sqlite error.type=pool_timeout ERROR\n\
         \n\
         db.client.operation.duration db.operation.name=BEGIN db.query.summary=BEGIN \
         db.system.name=sqlite error.type=pool_timeout | 1\n\
         db.client.operation.duration db.system.name=sqlite error.type=cancelled | 1\n\
         db.client.operation.duration db.system.name=sqlite error.type=pool_timeout | 3\n"
    );
    // From the call of `acquire`.
    let spans = capture.spans();
    let waited: Vec<Duration> = spans
        .named("sqlite")
        .iter()
        .map(|span| span.end.duration_since(span.start).unwrap())
        .collect();
    assert!(waited.iter().all(|waited| *waited >= Duration::from_millis(20)), "{waited:?}");
}

#[tokio::test]
async fn a_caller_that_panics_leaves_a_cancelled_query_and_a_pool_that_works() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    // Waits for the only connection, until its caller panics.
    let held = db.acquire().await.unwrap();
    let caller = async {
        tokio::join!(sqlx::query("UPDATE runs SET status = 'y'").execute(&db), async {
            panic_quietly()
        })
    };
    assert!(AssertUnwindSafe(caller).catch_unwind().await.is_err());
    drop(held);
    // Panics between two rows: the first one has arrived.
    sqlx::query("INSERT INTO runs VALUES ('a', 'x'), ('b', 'x')")
        .execute(db.untraced())
        .await
        .unwrap();
    let caller = async {
        let mut rows = sqlx::query("SELECT id FROM runs").fetch(&db);
        rows.try_next().await.unwrap();
        panic_quietly();
    };
    assert!(AssertUnwindSafe(caller).catch_unwind().await.is_err());
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&db).await.unwrap();
    assert_eq!(count, 2);

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT SELECT runs db.response.returned_rows=1\n\
         CLIENT SELECT runs db.response.returned_rows=1\n\
         CLIENT UPDATE runs error.type=cancelled ERROR\n"
    );
}

#[tokio::test]
async fn connections_prepared_statements_and_raw_batches_work_through_it() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    let mut connection = db.acquire().await.unwrap();
    sqlx::query("INSERT INTO runs VALUES ('a', 'x')").execute(&mut connection).await.unwrap();
    drop(connection);
    sqlx::raw_sql("INSERT INTO runs VALUES ('b', 'x'); DELETE FROM runs WHERE id = 'a'")
        .execute(&db)
        .await
        .unwrap();
    let statement = (&db)
        .prepare(sqlx::SqlSafeStr::into_sql_str("SELECT id FROM runs WHERE id = ?"))
        .await
        .unwrap();
    let row = sqlx::Statement::query(&statement).bind("b").fetch_one(&db).await.unwrap();
    assert_eq!(row.get::<String, _>("id"), "b");
    // Code that acquires a connection by itself, as migrations do.
    let mut plain = Acquire::acquire(&db).await.unwrap();
    sqlx::query("SELECT 1").execute(&mut *plain).await.unwrap();
    drop(plain);

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT INSERT runs\n\
         CLIENT INSERT runs DELETE runs\n\
         CLIENT SELECT runs db.response.returned_rows=1\n"
    );
}

/// Waits until the connection is back in the pool: sqlx returns it in a task.
async fn until_idle(db: &Db<Sqlite>) {
    let idle = async {
        while db.untraced().num_idle() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), idle).await.expect("an idle connection");
}

#[tokio::test]
async fn every_way_to_begin_a_transaction_is_traced() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    let mut tx = db.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("DELETE FROM runs").execute(&mut *tx).await.unwrap();
    // The only connection is in use.
    assert!(db.try_begin().await.unwrap().is_none());
    assert!(db.try_begin_with("BEGIN EXCLUSIVE").await.unwrap().is_none());
    assert!(db.try_acquire().is_none());
    tx.commit().await.unwrap();
    until_idle(&db).await;
    db.try_begin().await.unwrap().unwrap().rollback().await.unwrap();
    until_idle(&db).await;
    db.try_begin_with("BEGIN EXCLUSIVE").await.unwrap().unwrap().commit().await.unwrap();

    until_idle(&db).await;
    let mut connection = db.try_acquire().unwrap();
    let mut tx = connection.begin().await.unwrap();
    tx.begin().await.unwrap().rollback().await.unwrap();
    // A statement of its own inside of a transaction is an error of sqlx.
    assert!(tx.begin_with("BEGIN").await.is_err());
    tx.commit().await.unwrap();
    connection.begin_with("BEGIN DEFERRED").await.unwrap().commit().await.unwrap();

    capture.idle().await;
    let names: Vec<_> = capture.spans().iter().map(|span| span.name.clone()).collect();
    assert_eq!(
        names,
        [
            "BEGIN",
            "DELETE runs",
            "COMMIT",
            "BEGIN",
            "ROLLBACK",
            "BEGIN",
            "COMMIT",
            "BEGIN",
            "SAVEPOINT",
            "ROLLBACK",
            "BEGIN",
            "COMMIT",
            "BEGIN",
            "COMMIT",
        ]
    );
}

#[tokio::test]
async fn a_connection_and_a_transaction_of_the_program_are_traced_when_they_are_wrapped() {
    let capture = BoundaryCapture::new();
    let Database { db, _folder } = database().await;

    let mut own = db.untraced().acquire().await.unwrap();
    let mut traced = db.wrap(&mut *own);
    sqlx::query("DELETE FROM runs").execute(&mut traced).await.unwrap();
    let mut tx = traced.begin().await.unwrap();
    sqlx::query("DELETE FROM runs").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    drop(own);
    let own = db.untraced().begin().await.unwrap();
    let mut tx = db.wrap_transaction(own);
    sqlx::query("DELETE FROM runs").execute(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    let options = SqliteConnectOptions::new().in_memory(true);
    let own = Box::new(options.connect().await.unwrap());
    let mut traced = hub_otel::db::Connection::<Sqlite, _>::with_options(own, &options);
    sqlx::query("SELECT 1 FROM sqlite_master").fetch_all(&mut traced).await.unwrap();

    capture.idle().await;
    let names: Vec<_> = capture.spans().iter().map(|span| span.name.clone()).collect();
    assert_eq!(
        names,
        [
            "DELETE runs",
            "BEGIN",
            "DELETE runs",
            "COMMIT",
            "DELETE runs",
            "ROLLBACK",
            "SELECT sqlite_master"
        ]
    );
}
