//! An axum service on sqlx (SQLite in memory). Each request is one trace, from the client down to
//! the SQL statement.
//!
//! - `ServerLayer` records a span and metrics per request, named by the matched route.
//! - `Db` wraps the pool and records a span per statement.
//! - `http::Client` sends the trace context with each request.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run -p axum-sqlx` prints the traces on stderr. The
//! program serves on a free loopback port, requests two users, and exits. A real service waits for
//! `hub_otel::shutdown_signal()` instead.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use hub_otel::db::Db;
use hub_otel::http::{Client, ServerLayer};
use sqlx::Sqlite;
use sqlx::sqlite::SqlitePoolOptions;
use std::error::Error;

async fn show_user(
    State(db): State<Db<Sqlite>>,
    Path(id): Path<i64>,
) -> Result<String, StatusCode> {
    let name: Option<String> = sqlx::query_scalar("SELECT name FROM users WHERE id = ?1")
        .bind(id)
        .fetch_optional(&db)
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    name.ok_or(StatusCode::NOT_FOUND)
}

async fn open_database() -> Result<Db<Sqlite>, sqlx::Error> {
    // An in-memory database belongs to its connection: one connection, kept open.
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let db = Db::new(pool);
    sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .execute(&db)
        .await?;
    sqlx::query("INSERT INTO users VALUES (1, 'ada')").execute(&db).await?;
    Ok(db)
}

#[expect(clippy::print_stdout, reason = "the program's output")]
async fn request_users(url: String) -> Result<(), reqwest::Error> {
    let client = Client::new();
    for id in [1, 2] {
        let request = client.get(format!("{url}/users/{id}")).template("/users/{id}");
        let response = request.send().await?;
        println!("user {id}: {} {}", response.status().as_u16(), response.text().await?);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("axum-sqlx")
        .prometheus("127.0.0.1", 0)
        .install()?;
    let app = Router::new()
        .route("/users/{id}", get(show_user))
        .layer(ServerLayer::new())
        .with_state(open_database().await?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served?,
        requested = request_users(url) => requested?,
    }
    telemetry.shutdown().await;
    Ok(())
}
