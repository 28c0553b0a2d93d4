//! Scenarios `hub.sqlxROWS`, `plain.sqlxROWS` and `sqlx_otel.sqlxROWS`: a query of so many rows of
//! an in-memory SQLite database, with the pools of hub-otel, of sqlx and of sqlx-otel.

use crate::scenario::Scenario;
use hub_otel::db::Db;
use opentelemetry_sdk_0_32 as sdk;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{Executor, Row, Sqlite};
use std::net::SocketAddr;
use tokio::runtime::Runtime;

/// Returns the number of rows of the scenario `unit`, if it is one of sqlx.
pub fn rows(unit: &str) -> Option<usize> {
    unit.strip_prefix("sqlx")?.parse().ok()
}

/// Prepares a scenario. With `telemetry`, the queries are traced.
pub fn prepare(
    rows: usize,
    is_traced: bool,
    metrics_address: Option<SocketAddr>,
    stop: Box<dyn FnOnce()>,
) -> Scenario {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (pool, sql) = (runtime.block_on(open()), statement(rows));
    let unit: Box<dyn FnMut(usize)> = if is_traced {
        let db = Db::new(pool);
        Box::new(move |_| fetch(&runtime, &db, sql, rows))
    } else {
        Box::new(move |_| fetch(&runtime, &pool, sql, rows))
    };
    Scenario { unit, pending: None, metrics_address, stop }
}

/// Prepares a scenario of sqlx-otel: it records into an SDK of its version, with the SDK's batch
/// processor, a reader and an exporter that discards.
pub fn prepare_sqlx_otel(rows: usize) -> Scenario {
    use opentelemetry_0_32::global;
    let traces = sdk::trace::SdkTracerProvider::builder().with_batch_exporter(Discard).build();
    global::set_tracer_provider(traces.clone());
    let reader = sdk::metrics::ManualReader::default();
    let metrics = sdk::metrics::SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(metrics);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (pool, sql) = (runtime.block_on(open()), statement(rows));
    let pool = sqlx_otel::PoolBuilder::from(pool).build();
    let unit = Box::new(move |_| fetch(&runtime, &pool, sql, rows));
    let stop = Box::new(move || drop(traces.shutdown()));
    Scenario { unit, pending: None, metrics_address: None, stop }
}

#[derive(Debug)]
struct Discard;

impl sdk::trace::SpanExporter for Discard {
    async fn export(&self, _: Vec<sdk::trace::SpanData>) -> sdk::error::OTelSdkResult {
        Ok(())
    }
}

fn statement(rows: usize) -> &'static str {
    match rows {
        1 => "SELECT n FROM numbers LIMIT 1",
        10 => "SELECT n FROM numbers LIMIT 10",
        1_000 => "SELECT n FROM numbers LIMIT 1000",
        _ => panic!("{rows} rows; expected 1, 10 or 1000"),
    }
}

async fn open() -> SqlitePool {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .expect("a database in memory");
    let fill = "CREATE TABLE numbers AS WITH RECURSIVE count(n) AS \
                (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 1000) SELECT n FROM count";
    sqlx::query(fill).execute(&pool).await.expect("a table");
    pool
}

fn fetch<'e>(
    runtime: &Runtime,
    executor: impl Executor<'e, Database = Sqlite>,
    sql: &'static str,
    rows: usize,
) {
    let found = runtime.block_on(sqlx::query(sql).fetch_all(executor)).expect("rows");
    assert_eq!(found.len(), rows);
    assert_eq!(found[0].get::<i64, _>(0), 1);
}
