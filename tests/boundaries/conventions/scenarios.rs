//! Requests, calls and statements of every kind, as input of the tables.

use crate::support::{Raw, Server};
use axum::Router;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::routing::{any, get};
use hub_otel::db::Db;
use hub_otel::http::{Client, ServerLayer};
use hub_otel_tests::ports::Closed;
use sqlx::Sqlite;
use sqlx::sqlite::SqlitePoolOptions;

/// Returns the pool, whose connections are exported as long as it lives.
pub(super) async fn run() -> Db<Sqlite> {
    http().await;
    database().await
}

async fn http() {
    let app = Router::new()
        .route("/fine/{id}", any(|| async { "fine" }))
        .route("/busy", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/moved", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/fine/1")]) }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        );
    let layer = ServerLayer::new()
        .request_header(header::USER_AGENT)
        .request_header(HeaderName::from_static("x-request-id"))
        .response_header(header::CONTENT_TYPE);
    let server = Server::start(app.layer(layer)).await;
    let http = Client::new();
    for path in ["/fine/1?q=1", "/none", "/busy", "/moved", "/panic"] {
        let request =
            http.get(server.url(path)).header("x-request-id", "1").header("user-agent", "x");
        let _ = request.send().await;
    }
    let _ = http.get(server.url("/fine/1")).template("/fine/{id}").resend_count(2).send().await;
    let _ = http.request(Method::from_bytes(b"BREW").unwrap(), server.url("/fine/2")).send().await;
    let _ = http.get(format!("http://127.0.0.1:{}/", Closed::new().port())).send().await;
    let mut gone = Raw::get(&server, "/fine/3").await;
    gone.read_until("HTTP").await;
}

async fn database() -> Db<Sqlite> {
    let pool =
        SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let db = Db::new(pool).pool_name("t");
    for sql in [
        "CREATE TABLE t (id INTEGER PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES (1)",
    ] {
        let _ = sqlx::query(sql).execute(&db).await;
    }
    let _ = sqlx::query("SELECT * FROM t, t AS u").fetch_all(&db).await;
    let _ = sqlx::query("SELECT * FROM nowhere").fetch_all(&db).await;
    let _ = sqlx::query("-- nothing").execute(&db).await;
    let tx = db.begin().await.unwrap();
    tx.commit().await.unwrap();
    db
}
