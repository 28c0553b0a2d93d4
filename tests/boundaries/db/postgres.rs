//! Statements on a throw-away PostgreSQL server.

use crate::support::{BoundaryCapture, panic_quietly};
use futures_util::{FutureExt, TryStreamExt};
use hub_otel::db::Db;
use hub_otel_tests::poll;
use hub_otel_tests::postgres::{self, Cluster};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, Postgres, Row, SqlSafeStr, Statement};
use std::panic::AssertUnwindSafe;
use std::process::{Command, Output};
use std::time::Duration;

async fn connect(cluster: &Cluster) -> Db<Postgres> {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(cluster.port())
        .username("postgres")
        .password("c4n4ry")
        .database("postgres");
    let pool = PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(10));
    Db::new(pool.connect_with(options).await.unwrap())
}

/// Waits until the server executes a statement that begins with this text.
async fn until_running(statement: &str, db: &Db<Postgres>) {
    poll::until_async(Duration::from_secs(10), async || {
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE state = 'active' AND starts_with(query, $1)",
        )
        .bind(statement)
        .fetch_one(db.untraced())
        .await
        .unwrap();
        found > 0
    })
    .await;
}

#[tokio::test]
async fn postgres_statements_have_the_same_spans() {
    let Some(cluster) = Cluster::start() else { return };
    let capture = BoundaryCapture::new();
    let db = connect(&cluster).await;

    sqlx::query("CREATE TABLE runs (id TEXT PRIMARY KEY, n INT CHECK (n > 0))")
        .execute(&db)
        .await
        .unwrap();
    let mut tx = db.begin().await.unwrap();
    sqlx::query("INSERT INTO runs VALUES ($1, $2)")
        .bind("c4n4ry")
        .bind(1)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let rows: Vec<(String, i32)> =
        sqlx::query_as("SELECT id, n FROM runs").fetch_all(&db).await.unwrap();
    assert_eq!(rows, [("c4n4ry".to_owned(), 1)]);
    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT BEGIN\n\
         CLIENT COMMIT\n\
         CLIENT CREATE TABLE runs\n\
         CLIENT INSERT runs\n\
         CLIENT SELECT runs db.response.returned_rows=1\n"
    );
    let tree = capture.tree();
    assert!(
        tree.contains(
            "CLIENT SELECT runs db.collection.name=runs db.namespace=postgres db.operation.name=SELECT \
             db.query.summary=SELECT runs db.response.returned_rows=1 db.system.name=postgresql \
             server.address=127.0.0.1 server.port=<port>\n"
        ),
        "{tree}"
    );
    assert!(!tree.contains("c4n4ry"), "{tree}");
}

#[tokio::test]
async fn postgres_errors_are_classified_and_a_lost_server_is_a_lost_connection() {
    let Some(cluster) = Cluster::start() else { return };
    let capture = BoundaryCapture::new();
    let db = connect(&cluster).await;
    sqlx::raw_sql("CREATE TABLE runs (id INT PRIMARY KEY)").execute(db.untraced()).await.unwrap();

    for _ in 0..2 {
        let _ = sqlx::query("INSERT INTO runs VALUES (1)").execute(&db).await;
    }
    assert!(sqlx::query("SELECT * FROM nowhere").fetch_all(&db).await.is_err());
    assert!(sqlx::query("SELECT 1 / 0").fetch_all(&db).await.is_err());
    let mut connection = db.acquire().await.unwrap();
    sqlx::query("SET statement_timeout = 20").execute(&mut connection).await.unwrap();
    assert!(sqlx::query("SELECT pg_sleep(10)").execute(&mut connection).await.is_err());
    let running = sqlx::query("SELECT pg_sleep(60) FROM runs").execute(&db);
    let (lost, ()) = tokio::join!(running, async {
        until_running("SELECT pg_sleep(60)", &db).await;
        cluster.kill();
    });
    assert!(lost.is_err());

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT INSERT runs db.response.status_code=23505 error.type=constraint ERROR\n\
         CLIENT INSERT runs\n\
         CLIENT SELECT db.response.status_code=22012 error.type=data ERROR\n\
         CLIENT SELECT db.response.status_code=57014 error.type=timeout ERROR\n\
         CLIENT SELECT nowhere db.response.status_code=42P01 error.type=statement ERROR\n\
         CLIENT SELECT runs error.type=connection ERROR\n\
         CLIENT SET\n"
    );
}

#[tokio::test]
async fn postgres_streams_prepared_statements_batches_and_savepoints_are_seen_as_they_are() {
    let Some(cluster) = Cluster::start() else { return };
    let capture = BoundaryCapture::new();
    let db = connect(&cluster).await;
    db.untraced().execute("CREATE TABLE runs (id INT PRIMARY KEY)").await.unwrap();

    sqlx::raw_sql(
        "INSERT INTO runs VALUES (1), (2); DELETE FROM runs WHERE id = 1; INSERT INTO runs VALUES (3)",
    )
    .execute(&db)
    .await
    .unwrap();
    let statement =
        (&db).prepare("SELECT id FROM runs WHERE id = $1".into_sql_str()).await.unwrap();
    let row = statement.query().bind(2).fetch_one(&db).await.unwrap();
    assert_eq!(row.get::<i32, _>("id"), 2);
    let mut rows =
        sqlx::query("SELECT one.id FROM runs AS one CROSS JOIN runs AS other").fetch(&db);
    rows.try_next().await.unwrap().unwrap();
    drop(rows);
    let mut tx = db.begin().await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    sqlx::query("DELETE FROM runs").execute(&mut *inner).await.unwrap();
    inner.rollback().await.unwrap();
    tx.commit().await.unwrap();
    let caller = async {
        tokio::join!(sqlx::query("SELECT pg_sleep(60) FROM runs").execute(&db), async {
            until_running("SELECT pg_sleep(60)", &db).await;
            panic_quietly();
        })
    };
    assert!(AssertUnwindSafe(caller).catch_unwind().await.is_err());
    let left: Vec<(i32,)> =
        sqlx::query_as("SELECT id FROM runs ORDER BY id").fetch_all(&db).await.unwrap();
    assert_eq!(left, [(2,), (3,)], "the pool lives on");

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT BEGIN\n\
         CLIENT COMMIT\n\
         CLIENT DELETE runs\n\
         CLIENT INSERT runs DELETE runs INSERT runs\n\
         CLIENT ROLLBACK\n\
         CLIENT SAVEPOINT\n\
         CLIENT SELECT runs error.type=cancelled ERROR\n\
         CLIENT SELECT runs db.response.returned_rows=1\n\
         CLIENT SELECT runs db.response.returned_rows=2\n\
         CLIENT SELECT runs runs db.response.returned_rows=1\n"
    );
}

/// No server is needed for these.
#[tokio::test]
async fn an_unreachable_database_is_a_lost_connection_and_its_default_port_is_not_recorded() {
    let capture = BoundaryCapture::new();
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(20));
    let options = PgConnectOptions::new_without_pgpass().username("postgres").password("c4n4ry");
    // RFC 6761: `.invalid` never has an address.
    let nowhere =
        Db::new(pool.clone().connect_lazy_with(options.clone().host("nowhere.invalid").port(5432)));
    assert!(sqlx::query("SELECT 1").execute(&nowhere).await.is_err());
    assert!(nowhere.acquire().await.is_err());
    let closed = hub_otel_tests::ports::Closed::new();
    let pool = pool.acquire_timeout(Duration::from_millis(100));
    let refused = Db::new(pool.connect_lazy_with(options.host("127.0.0.1").port(closed.port())));
    assert!(sqlx::query("SELECT 1").execute(&refused).await.is_err());

    capture.idle().await;
    let duration = "db.client.operation.duration";
    let select = "db.operation.name=SELECT db.query.summary=SELECT db.system.name=postgresql";
    assert_eq!(
        capture.snapshot(),
        format!(
            "CLIENT SELECT error.type=connection ERROR\n\
             CLIENT SELECT error.type=pool_timeout ERROR\n\
             CLIENT nowhere.invalid error.type=connection ERROR\n\
             \n\
             {duration} {select} error.type=connection server.address=nowhere.invalid | 1\n\
             {duration} {select} error.type=pool_timeout server.address=127.0.0.1 server.port=<port> | 1\n\
             {duration} db.system.name=postgresql error.type=connection server.address=nowhere.invalid | 1\n"
        )
    );
    assert!(!capture.debug().contains("c4n4ry"));
}

/// This test program again, where it finds no `initdb`.
fn without_initdb(required: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "db::postgres::postgres_statements_have_the_same_spans"])
        .env(postgres::PROGRAMS, folder.path())
        .env(postgres::REQUIRED, required)
        .output()
        .unwrap()
}

#[test]
fn without_initdb_the_test_is_skipped_with_a_message_unless_it_is_required() {
    let skipped = without_initdb("0");
    assert!(skipped.status.success());
    let output = String::from_utf8_lossy(&skipped.stderr).into_owned();
    assert!(output.contains("skipped: postgres\n"), "{output}");
    let forbidden = without_initdb("1");
    assert!(!forbidden.status.success());
    let output = String::from_utf8_lossy(&forbidden.stdout).into_owned();
    assert!(output.contains("HUB_REQUIRE_POSTGRES requires it"), "{output}");
}
