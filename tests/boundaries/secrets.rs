//! A canary in every place where secrets travel is found in nothing that is exported.

use crate::support::{Server, Watched};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::{any, get};
use hub_otel::db::Db;
use hub_otel::http::{Client, ServerLayer};
use sqlx::sqlite::SqlitePoolOptions;

const CANARY: &str = "c4n4ry-5ecret";

#[tokio::test]
async fn a_canary_in_every_place_where_secrets_travel_is_exported_nowhere() {
    let watched = Watched::new();
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let db = Db::new(pool);
    sqlx::query("CREATE TABLE tokens (token TEXT PRIMARY KEY)").execute(&db).await.unwrap();
    let store = db.clone();
    let app = Router::new()
        .route(
            "/hooks/{token}",
            any(move || {
                let store = store.clone();
                async move {
                    // Bound values, a literal in the text, and errors that quote both.
                    let insert = sqlx::AssertSqlSafe(format!("INSERT INTO tokens VALUES ('{CANARY}')"));
                    for _ in 0..2 {
                        let _ = sqlx::query(insert.0.as_str().to_owned().leak() as &'static str)
                            .execute(&store)
                            .await;
                        let _ =
                            sqlx::query("INSERT INTO tokens VALUES (?)").bind(CANARY).execute(&store).await;
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
        .layer(ServerLayer::new().hide_path("/hooks/*"));
    let server = Server::start(app).await;
    let http = Client::new();

    let url = format!("http://{CANARY}:{CANARY}@{}/hooks/{CANARY}?key={CANARY}#{CANARY}", server.address);
    let request = http.post(&url).bearer_auth(CANARY).header("x-api-key", CANARY).header("cookie", CANARY);
    assert!(request.body(CANARY).send().await.unwrap().text().await.unwrap().contains(CANARY));
    http.get(server.url("/moved")).send().await.unwrap();
    // Nobody listens there: the error's text has the URL in it.
    let closed = hub_otel_tests::ports::Closed::new();
    let error =
        http.get(format!("http://127.0.0.1:{}/{CANARY}?{CANARY}", closed.port())).send().await.unwrap_err();
    assert!(format!("{error:?}").contains(CANARY), "the canary was in reach");

    watched.idle().await;
    assert!(watched.spans().len() > 10, "{}", watched.tree());
    let everything = watched.everything();
    assert!(!everything.contains(CANARY), "{everything}");
}
