//! Baggage with the run: sent to allowed hosts only, read by servers that trust the caller.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use hub_otel::http::{Client, ServerLayer, Trust};

async fn baggage(headers: HeaderMap) -> String {
    headers.get("baggage").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// A server at 127.0.0.1, whose `/away` redirects to another one, at `localhost`.
async fn with_a_way_out() -> (Server, Server) {
    let elsewhere = Server::start(Router::new().route("/", get(baggage))).await;
    let away = elsewhere.url("/").replace("127.0.0.1", "localhost");
    let app = Router::new().route("/", get(baggage)).route(
        "/away",
        get(move || async move { (StatusCode::FOUND, [(header::LOCATION, away)]) }),
    );
    (Server::start(app).await, elsewhere)
}

#[hub_otel::instrument_workflow(id = "nightly", run_id = "run-7")]
async fn nightly(http: Client, url: String) -> String {
    http.get(url).send().await.unwrap().text().await.unwrap()
}

#[hub_otel::instrument_agent(id = "scanner", action = "scan")]
async fn scan() {}

#[tokio::test]
async fn a_runs_identity_goes_to_named_hosts_only_redirects_included() {
    let capture = BoundaryCapture::new();
    let (server, _elsewhere) = with_a_way_out().await;
    let named = Client::new().baggage_to("127.0.0.1");

    assert_eq!(nightly(Client::new(), server.url("/")).await, "");
    assert_eq!(
        nightly(named.clone(), server.url("/")).await,
        "workflow.id=nightly,workflow.run.id=run-7"
    );
    assert_eq!(nightly(named.clone(), server.url("/away")).await, "", "`localhost` was not named");
    assert_eq!(
        named.get(server.url("/")).send().await.unwrap().text().await.unwrap(),
        "",
        "no run, no baggage"
    );
    capture.idle().await;
}

/// Redirects inside reqwest are not observable and repeat the headers of the first request.
#[tokio::test]
async fn a_client_that_follows_redirects_itself_gets_no_baggage() {
    let capture = BoundaryCapture::new();
    let (server, _elsewhere) = with_a_way_out().await;
    let ready = Client::from(reqwest::Client::new()).baggage_to("127.0.0.1");

    assert_eq!(nightly(ready.clone(), server.url("/away")).await, "", "`localhost` was not named");
    assert_eq!(
        nightly(ready, server.url("/")).await,
        "",
        "nor is it sent where it could be sent on"
    );

    // The same settings, with redirects of our own.
    let built = Client::build(reqwest::Client::builder()).unwrap().baggage_to("127.0.0.1");
    assert_eq!(nightly(built.clone(), server.url("/away")).await, "");
    assert_eq!(nightly(built, server.url("/")).await, "workflow.id=nightly,workflow.run.id=run-7");
    capture.idle().await;
}

#[tokio::test]
async fn a_trusted_callers_run_is_the_run_of_the_agents_behind_the_server() {
    let capture = BoundaryCapture::new();
    for (trust, id) in [(Trust::TraceAndBaggage, "nightly"), (Trust::Trace, "")] {
        let app = Router::new().route("/", get(scan)).layer(ServerLayer::new().trust(trust));
        let server = Server::start(app).await;
        nightly(Client::new().baggage_to("127.0.0.1"), server.url("/")).await;
        capture.idle().await;
        let spans = capture.spans();
        let agent = spans.named("agent.execute").last().copied().cloned().unwrap();
        assert_eq!(agent.text("workflow.id"), id, "{trust:?}\n{}", capture.tree());
    }
    assert_eq!(
        capture.spans().sorted().names(),
        "workflow.execute\n  GET\n    GET /\n      agent.execute\n".repeat(2)
    );
}
