//! A canary in every place that contains secrets is never exported.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::{any, get};
use hub_otel::Telemetry;
use hub_otel::db::Db;
use hub_otel::http::{Client, ServerLayer};
use hub_otel_tests::receiver::{Receiver, Signal};
use sqlx::sqlite::SqlitePoolOptions;
use tracing_subscriber::layer::SubscriberExt;

const CANARY: &str = "c4n4ry-5ecret";

/// Sends the canary through every boundary, which record into `telemetry`, or into what is current.
async fn scenario(telemetry: Option<&Telemetry>) {
    let mut layer = ServerLayer::new().redact_path("/hooks/*");
    let mut http = Client::new();
    let pool =
        SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let mut db = Db::new(pool);
    if let Some(telemetry) = telemetry {
        layer = layer.telemetry(telemetry);
        http = http.telemetry(telemetry);
        db = db.telemetry(telemetry);
    }
    sqlx::query("CREATE TABLE tokens (token TEXT PRIMARY KEY)").execute(&db).await.unwrap();
    let store = db.clone();
    let app = Router::new()
        .route(
            "/hooks/{token}",
            any(move || {
                let store = store.clone();
                async move {
                    // Bound values, a literal in the text, and errors that quote both.
                    let insert =
                        sqlx::AssertSqlSafe(format!("INSERT INTO tokens VALUES ('{CANARY}')"));
                    for _ in 0..2 {
                        let _ = sqlx::query(insert.0.as_str().to_owned().leak() as &'static str)
                            .execute(&store)
                            .await;
                        let _ = sqlx::query("INSERT INTO tokens VALUES (?)")
                            .bind(CANARY)
                            .execute(&store)
                            .await;
                    }
                    let _ = sqlx::query("SELECT 1 WHERE ? = 'x").bind(CANARY).execute(&store).await;
                    ([(header::SET_COOKIE, CANARY)], CANARY)
                }
            }),
        )
        .route(
            "/moved",
            get(|| async {
                (StatusCode::FOUND, [(header::LOCATION, format!("/hooks/{CANARY}?k={CANARY}"))])
            }),
        )
        .layer(layer);
    let server = Server::start(app).await;

    let url =
        format!("http://{CANARY}:{CANARY}@{}/hooks/{CANARY}?key={CANARY}#{CANARY}", server.address);
    let request =
        http.post(&url).bearer_auth(CANARY).header("x-api-key", CANARY).header("cookie", CANARY);
    assert!(request.body(CANARY).send().await.unwrap().text().await.unwrap().contains(CANARY));
    http.get(server.url("/moved")).send().await.unwrap();
    // A closed port: the message of the error contains the URL.
    let closed = hub_otel_tests::ports::Closed::new();
    let error = http
        .get(format!("http://127.0.0.1:{}/{CANARY}?{CANARY}", closed.port()))
        .send()
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains(CANARY), "the canary was in reach");
}

#[tokio::test]
async fn a_canary_in_every_place_with_secrets_is_never_recorded() {
    let capture = BoundaryCapture::new();
    scenario(None).await;
    capture.idle().await;
    assert!(capture.spans().len() > 10, "{}", capture.tree());
    let everything = capture.debug();
    assert!(!everything.contains(CANARY), "{everything}");
}

#[tokio::test]
async fn a_canary_is_in_the_bytes_of_no_exported_signal() {
    let receiver = Receiver::start();
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("boundaries")
        .endpoint(receiver.endpoint())
        .env_source([
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
            ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
            ("RUST_LOG", "info"),
        ])
        .build()
        .unwrap();
    {
        let _logs = tracing::subscriber::set_default(
            tracing_subscriber::registry().with(hub_otel::otel::tracing_layer(&telemetry)),
        );
        tracing::info!("begins");
        scenario(Some(&telemetry)).await;
    }
    let page =
        hub_otel_tests::http::get(format!("http://{}/metrics", telemetry.metrics_addr().unwrap()))
            .body;
    assert!(telemetry.shutdown().await.is_complete());

    assert!(receiver.spans().len() > 10);
    for signal in Signal::ALL {
        assert!(receiver.stored(signal) > 0, "{signal:?}");
    }
    assert!(page.contains("db_client_operation_duration_seconds_count"), "{page}");
    assert!(!page.contains(CANARY), "{page}");
    let everything = format!("{:?}", receiver.requests());
    assert!(everything.contains("POST /hooks/{token}"), "the requests can be read");
    assert!(!everything.contains(CANARY), "{everything}");
}
