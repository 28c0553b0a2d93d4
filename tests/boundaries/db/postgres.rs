//! PostgreSQL of the system's, in a temporary folder, as user `postgres`, on a port of its own.
//!
//! Where `initdb` is missing the test says `skipped: postgres`; HUB_REQUIRE_POSTGRES=1 makes that a failure.

mod cluster;

use crate::support::Watched;
use cluster::Cluster;
use hub_otel::db::Db;
use sqlx::Postgres;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::time::Duration;

async fn connect(cluster: &Cluster) -> Db<Postgres> {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(cluster.port)
        .username("postgres")
        .password("c4n4ry")
        .database("postgres");
    let pool = PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(10));
    Db::new(pool.connect_with(options).await.unwrap())
}

#[tokio::test]
async fn postgres_keeps_the_same_promises() {
    let Some(cluster) = Cluster::start() else { return };
    let watched = Watched::new();
    let db = connect(&cluster).await;

    sqlx::query("CREATE TABLE runs (id TEXT PRIMARY KEY, n INT CHECK (n > 0))").execute(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    sqlx::query("INSERT INTO runs VALUES ($1, $2)").bind("c4n4ry").bind(1).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let rows: Vec<(String, i32)> = sqlx::query_as("SELECT id, n FROM runs").fetch_all(&db).await.unwrap();
    assert_eq!(rows, [("c4n4ry".to_owned(), 1)]);
    watched.idle().await;
    assert_eq!(
        watched.short(),
        "CLIENT BEGIN\n\
         CLIENT COMMIT\n\
         CLIENT CREATE TABLE runs\n\
         CLIENT INSERT runs\n\
         CLIENT SELECT runs db.response.returned_rows=1\n"
    );
    let tree = watched.tree();
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
async fn postgres_errors_are_classed_and_a_lost_server_is_a_lost_connection() {
    let Some(cluster) = Cluster::start() else { return };
    let watched = Watched::new();
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
        cluster.until_running("SELECT pg_sleep(60)", &db).await;
        cluster.kill();
    });
    assert!(lost.is_err());

    watched.idle().await;
    assert_eq!(
        watched.short(),
        "CLIENT INSERT runs\n\
         CLIENT INSERT runs db.response.status_code=23505 error.type=constraint ERROR\n\
         CLIENT SELECT db.response.status_code=22012 error.type=data ERROR\n\
         CLIENT SELECT db.response.status_code=57014 error.type=timeout ERROR\n\
         CLIENT SELECT nowhere db.response.status_code=42P01 error.type=statement ERROR\n\
         CLIENT SELECT runs error.type=connection ERROR\n\
         CLIENT SET\n"
    );
}
