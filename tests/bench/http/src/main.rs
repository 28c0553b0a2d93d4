//! Cost of an HTTP request under a layer: `cost LAYER REQUESTS` prints allocations and bytes per
//! request. Callgrind counts the instructions of [`measured`]. See `docs/performance.md`.
//!
//! All layers record into hub-otel's SDK and queue, which export nothing during the measurement, so
//! that only the layers differ.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use axum::{Router, extract::MatchedPath};
use http_body_util::BodyExt;
use hub_otel::otel::opentelemetry::{global, trace::TracerProvider};
use hub_otel::otel::opentelemetry_sdk::propagation::TraceContextPropagator;
use hub_otel::{Telemetry, otel};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use tower::ServiceExt;
use tower_http::trace::TraceLayer;
use tracing_subscriber::layer::SubscriberExt;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LAYERS: [&str; 4] = ["bare", "hub-otel", "otel-tower", "trace-layer"];

fn router() -> Router {
    Router::new().route("/users/{id}", get(|| async { "hello" }))
}

/// Returns the router with a layer. Each layer records a span per request, and metrics if it
/// supports them.
fn app(layer: &str, telemetry: &Telemetry) -> Router {
    let tracer = otel::tracer_provider(telemetry);
    let meter = otel::meter_provider(telemetry);
    match layer {
        "bare" => router(),
        "hub-otel" => router().layer(hub_otel::http::ServerLayer::new()),
        "otel-tower" => {
            global::set_tracer_provider(tracer);
            global::set_meter_provider(meter);
            global::set_text_map_propagator(TraceContextPropagator::new());
            router().layer(opentelemetry_instrumentation_tower::http::server::Layer::default())
        }
        "trace-layer" => {
            let bridge = tracing_opentelemetry::layer().with_tracer(tracer.tracer("trace-layer"));
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(bridge))
                .expect("the first");
            // Attributes of the conventions, as in the documentation of tracing-opentelemetry.
            let span = |request: &Request<Body>| {
                let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
                tracing::info_span!(
                    "request",
                    otel.name = format!("{} {}", request.method(), route.unwrap_or_default()),
                    otel.kind = "server",
                    http.request.method = %request.method(),
                    http.route = route,
                    url.path = request.uri().path(),
                    url.scheme = "http",
                    network.protocol.version = ?request.version(),
                    http.response.status_code = tracing::field::Empty,
                )
            };
            router().layer(TraceLayer::new_for_http().make_span_with(span).on_response(
                |response: &axum::response::Response,
                 _: std::time::Duration,
                 span: &tracing::Span| {
                    span.record("http.response.status_code", response.status().as_u16());
                },
            ))
        }
        other => panic!("no layer `{other}`; one of {LAYERS:?}"),
    }
}

/// Runs one request to the end of the response body.
#[inline(always)]
fn drive(runtime: &tokio::runtime::Runtime, app: &Router, request: Request<Body>) {
    runtime.block_on(async {
        let response = app.clone().oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::OK);
        black_box(response.into_body().collect().await.expect("a body"));
    });
}

fn request() -> Request<Body> {
    let request = Request::get("/users/7?token=secret")
        .header("host", "example.test:8080")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.body(Body::empty()).expect("a request")
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let layer = arguments.next().unwrap_or_else(|| "hub-otel".into());
    let requests: usize =
        arguments.next().map_or(400, |count| count.parse().expect("a number of requests"));
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("cost")
        .env_source([
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
            ("RUST_LOG", "off"),
        ])
        .prometheus("127.0.0.1", 0)
        .build()
        .expect("telemetry");
    let app = app(&layer, &telemetry);
    // As in a program. The subscriber of `trace-layer` is set before, and stays.
    telemetry.install().expect("the first one");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // Warm-up: caches and series are created once.
    for _ in 0..16 {
        drive(&runtime, &app, request());
    }
    let (mut allocations, mut bytes) = (0, 0);
    for _ in 0..requests {
        let request = request();
        let region = Region::new(ALLOCATOR);
        measured(&runtime, &app, request);
        let change = region.change();
        allocations += change.allocations + change.reallocations;
        bytes += change.bytes_allocated;
    }
    println!(
        "{layer}: {requests} requests, {} allocations, {} bytes each",
        allocations / requests,
        bytes / requests
    );
    // Exits without waiting for the export.
    std::process::exit(0);
}

/// Function whose instructions callgrind counts.
#[inline(never)]
fn measured(runtime: &tokio::runtime::Runtime, app: &Router, request: Request<Body>) {
    drive(runtime, app, request);
}
