//! Two hundred connections at once, a third of which hang up early, a third half-way.

use crate::support::{Raw, Server, Watched};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::{StreamExt, future::join_all, stream};
use hub_otel::http::ServerLayer;
use hub_otel_tests::poll;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const CLIENTS: usize = 200;
const SLOW: usize = 67;
const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_disconnects_leaves_nothing_active_and_counts_every_request_once() {
    let watched = Watched::new();
    let body = || async {
        let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"chunk")));
        Body::from_stream(chunks.take(4).chain(stream::pending()))
    };
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = arrived.clone();
    let slow = move || async move {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    let app = Router::new()
        .route("/slow", get(slow))
        .route("/stream", get(body))
        .route("/quick", get(|| async { "quick" }))
        .layer(ServerLayer::new());
    let server = Server::start(app).await;

    join_all((0..CLIENTS).map(|n| {
        let (server, arrived) = (&server, &arrived);
        async move {
            match n % 3 {
                0 => {
                    let _client = Raw::get(server, "/slow").await;
                    // Hangs up when all of its kind are being served: what hyper never saw is no request.
                    poll::until_async(WITHIN, async || arrived.load(Ordering::Relaxed) == SLOW).await;
                }
                1 => {
                    let mut client = Raw::get(server, "/stream").await;
                    client.read_until("chunk").await;
                }
                _ => {
                    let mut client = Raw::get(server, "/quick").await;
                    client.read_until("quick").await;
                }
            }
        }
    }))
    .await;

    watched.until_ended(CLIENTS).await;
    watched.idle().await;
    assert_eq!(watched.spans().len(), CLIENTS);
    assert_eq!(
        watched.table(),
        "http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration error.type=cancelled http.request.method=GET \
         http.response.status_code=200 http.route=/stream network.protocol.version=1.1 url.scheme=http | 67\n\
         http.server.request.duration error.type=cancelled http.request.method=GET http.route=/slow \
         network.protocol.version=1.1 url.scheme=http | 67\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 http.route=/quick \
         network.protocol.version=1.1 url.scheme=http | 66\n"
    );
}
