//! An instrumented reqwest client: a span and metrics per request, and the trace context in the
//! request's headers.
//!
//! - `http::Client` replaces `reqwest::Client`; its `RequestBuilder` has the same methods.
//! - `url.full` records no path by default, because a path can be a secret. `show_path` permits it
//!   for one host.
//! - `template` gives the route, a low-cardinality name for the span.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run -p reqwest-client` prints the trace on stderr. The
//! server is a loopback one in the same process. It returns the `traceparent` header that it
//! received.

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use hub_otel::http::Client;
use std::error::Error;
use std::time::Duration;

/// Calls the server as part of an agent: the client span is a child of `agent.execute`.
#[hub_otel::instrument_agent(id = "fetcher", action = "fetch")]
async fn fetch_user(client: &Client, url: &str) -> Result<String, reqwest::Error> {
    let request = client.get(format!("{url}/users/7")).template("/users/{id}");
    request.send().await?.error_for_status()?.text().await
}

/// Returns the trace context of the request.
async fn show_traceparent(headers: HeaderMap) -> String {
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    traceparent.unwrap_or("no traceparent").to_owned()
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("reqwest-client")
        .prometheus("127.0.0.1", 0)
        .install()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/users/{id}", get(show_traceparent));
    let server = tokio::spawn(async { axum::serve(listener, app).await });

    // Settings are reqwest's own.
    let settings = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy();
    let client = Client::build(settings)?.show_path("127.0.0.1");
    println!("traceparent at the server: {}", fetch_user(&client, &url).await?);

    server.abort();
    telemetry.shutdown().await;
    Ok(())
}
