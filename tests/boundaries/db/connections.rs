//! The connections of a named pool, as a scrape shows them.

use crate::support::{scrape, scraped_telemetry};
use hub_otel::Telemetry;
use hub_otel::db::Db;
use hub_otel::semconv::metric::{DB_CLIENT_CONNECTION_COUNT, DB_CLIENT_CONNECTION_MAX};
use hub_otel_tests::poll;
use hub_otel_tests::postgres::Cluster;
use sqlx::pool::PoolOptions;
use sqlx::{Database, Pool, Sqlite};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

/// The exported numbers of idle and of used connections, and their maximum.
fn exported(telemetry: &Telemetry, pool: &str) -> [Option<f64>; 3] {
    let scrape = scrape(telemetry);
    let name = ("db_client_connection_pool_name", pool);
    let count = |state| {
        let labels = [name, ("db_client_connection_state", state)];
        scrape.value(DB_CLIENT_CONNECTION_COUNT.prometheus, &labels)
    };
    [count("idle"), count("used"), scrape.value(DB_CLIENT_CONNECTION_MAX.prometheus, &[name])]
}

/// Waits until the pool `orders` has these numbers.
async fn until(telemetry: &Telemetry, expected: [f64; 3]) {
    let expected = expected.map(Some);
    poll::until_async(WITHIN, async || exported(telemetry, "orders") == expected).await;
}

async fn until_gone(telemetry: &Telemetry) {
    poll::until_async(WITHIN, async || exported(telemetry, "orders") == [None; 3]).await;
}

async fn connections_are_counted<DB: Database>(connect: impl AsyncFn() -> Pool<DB>) {
    let telemetry = scraped_telemetry();
    let pool = connect().await;
    let db = Db::new(pool.clone()).pool_name("orders").telemetry(&telemetry);
    until(&telemetry, [1.0, 0.0, 3.0]).await;
    let first = db.acquire().await.unwrap();
    until(&telemetry, [0.0, 1.0, 3.0]).await;
    let second = pool.acquire().await.unwrap();
    until(&telemetry, [0.0, 2.0, 3.0]).await;
    drop(first);
    until(&telemetry, [1.0, 1.0, 3.0]).await;

    // Two pools of one name are added.
    let other = Db::new(connect().await).telemetry(&telemetry).pool_name("orders");
    until(&telemetry, [2.0, 1.0, 6.0]).await;
    drop(second);
    other.close().await;
    until(&telemetry, [2.0, 0.0, 3.0]).await;

    // The export ends with the last clone.
    let clone = db.clone();
    drop(db);
    until(&telemetry, [2.0, 0.0, 3.0]).await;
    drop(clone);
    until_gone(&telemetry).await;
    assert!(!pool.is_closed(), "the program has it still");

    // The export keeps no pool alive.
    let ended = pool.close_event();
    let db = Db::new(pool).telemetry(&telemetry).pool_name("orders");
    until(&telemetry, [2.0, 0.0, 3.0]).await;
    drop(db);
    tokio::time::timeout(WITHIN, ended).await.unwrap();
    until_gone(&telemetry).await;
    telemetry.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquired_connection_of_sqlite_is_counted_as_used() {
    let options = || PoolOptions::<Sqlite>::new().max_connections(3);
    connections_are_counted(async || options().connect("sqlite::memory:").await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquired_connection_of_postgres_is_counted_as_used() {
    let Some(cluster) = Cluster::start() else { return };
    let url = cluster.create_database().await;
    let options = || PoolOptions::<sqlx::Postgres>::new().max_connections(3);
    connections_are_counted(async || options().connect(&url).await.unwrap()).await;
}
