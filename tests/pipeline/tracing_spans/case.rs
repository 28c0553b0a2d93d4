//! The programs of the tests, each in a child process.

use hub_otel::{Telemetry, TelemetryBuilder, agent, workflow};
use hub_otel_tests::poll;
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use std::time::{Duration, Instant};
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

fn init() -> Telemetry {
    hub_otel::init("tracing-spans").expect("the install")
}

/// Installs with a subscriber of the application that has our layer.
fn init_own_subscriber(builder: TelemetryBuilder) -> Telemetry {
    let telemetry = builder.build().expect("it starts");
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(hub_otel::otel::tracing_layer(&telemetry));
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
    telemetry.install().expect("the install");
    telemetry
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    runtime.expect("a runtime").block_on(future);
}

async fn four_levels() {
    let log = async {
        tokio::task::yield_now().await;
        tracing::info!("in the innermost");
    };
    // The parent of a span is what is current when it is made.
    let innermost = async { log.instrument(info_span!("innermost")).await };
    let agent = async { agent("a", "x").run(innermost).await };
    let run = async { agent.instrument(info_span!("between")).await };
    let outermost = async { workflow("w").run(run).await };
    outermost.instrument(info_span!("outermost")).await;
}

fn nest(telemetry: Telemetry) {
    block_on(four_levels());
    assert!(telemetry.shutdown_blocking().is_complete());
}

/// The same without the export of `tracing` spans.
fn nest_units(telemetry: Telemetry) {
    agent("alone", "x").call(|| {
        assert!(Span::current().is_none(), "no span of the subscriber");
        info_span!("left out").in_scope(|| agent("inner", "x").call(|| ()));
    });
    nest(telemetry);
}

#[test]
#[ignore = "runs in a child process"]
fn units_only() {
    let telemetry = Telemetry::builder().tracing_spans(false).install();
    nest_units(telemetry.expect("the install"));
}

#[test]
#[ignore = "runs in a child process"]
fn units_only_own_subscriber() {
    nest_units(init_own_subscriber(Telemetry::builder().tracing_spans(false)));
}

#[test]
#[ignore = "runs in a child process"]
fn units_only_then_all() {
    for (name, on) in [("first", false), ("second", true), ("third", false)] {
        let builder = Telemetry::builder().default_service_name(name).tracing_spans(on);
        let telemetry = builder.install().expect("the install");
        agent("a", "x").call(|| info_span!("inside", size = 1).in_scope(|| ()));
        assert!(telemetry.shutdown_blocking().is_complete());
    }
}

#[test]
#[ignore = "runs in a child process"]
fn nested() {
    nest(init());
}

#[test]
#[ignore = "runs in a child process"]
fn nested_own_subscriber() {
    nest(init_own_subscriber(Telemetry::builder()));
}

async fn adopt_the_current_span() {
    tokio::task::yield_now().await;
    let spawned = async {
        tokio::task::yield_now().await;
        info_span!("spawned").in_scope(|| ());
        agent("b", "x").run(async {}).await;
    };
    tokio::spawn(spawned.in_current_span()).await.expect("no panic");
    drop(info_span!(parent: &Span::current(), "explicit"));
    let current = Span::current();
    std::thread::spawn(move || current.in_scope(|| info_span!("other thread").in_scope(|| ())))
        .join()
        .expect("no panic");
}

fn current(telemetry: Telemetry) {
    block_on(async { agent("a", "x").run(adopt_the_current_span()).await });
    assert!(Span::current().is_none(), "the unit's span is left");
    assert!(!Context::current().has_active_span(), "its context too");
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[ignore = "runs in a child process"]
fn current_span() {
    current(init());
}

#[test]
#[ignore = "runs in a child process"]
fn current_span_own_subscriber() {
    current(init_own_subscriber(Telemetry::builder()));
}

/// Streams one chunk, inside a span.
fn body() -> axum::body::Body {
    let chunk = std::future::poll_fn(|_| {
        info_span!("in the body").in_scope(|| ());
        std::task::Poll::Ready(Ok::<_, std::io::Error>("heron"))
    });
    axum::body::Body::from_stream(futures_util::stream::once(chunk))
}

async fn handler() -> axum::body::Body {
    info_span!("in the handler").in_scope(|| ());
    tokio::task::yield_now().await;
    let spawned = async { info_span!("spawned").in_scope(|| ()) };
    tokio::spawn(spawned.in_current_span()).await.expect("no panic");
    drop(info_span!(parent: &Span::current(), "explicit"));
    Span::current().set_attribute("recorded", "on the request");
    body()
}

async fn call(router: axum::Router) {
    let router = router.layer(hub_otel::http::ServerLayer::new());
    let request = axum::http::Request::get("/birds").body(axum::body::Body::empty());
    let response = tower::ServiceExt::oneshot(router, request.expect("a request")).await;
    let body = response.expect("a response").into_body();
    axum::body::to_bytes(body, 100).await.expect("a body");
}

fn request_in(telemetry: Telemetry) {
    block_on(async {
        call(axum::Router::new().route("/birds", axum::routing::get(handler))).await;
        assert!(Span::current().is_none() && !Context::current().has_active_span());
    });
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[ignore = "runs in a child process"]
fn request() {
    request_in(init());
}

#[test]
#[ignore = "runs in a child process"]
fn request_own_subscriber() {
    request_in(init_own_subscriber(Telemetry::builder()));
}

#[test]
#[ignore = "runs in a child process"]
fn panicking_request() {
    async fn panics() {
        panic!("on purpose");
    }
    let telemetry = init();
    block_on(async {
        let router = axum::Router::new().route("/birds", axum::routing::get(panics));
        // Polled on this thread, whose current span is checked afterwards.
        let call = std::panic::AssertUnwindSafe(call(router));
        assert!(futures_util::FutureExt::catch_unwind(call).await.is_err());
        info_span!("after").in_scope(|| ());
    });
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[ignore = "runs in a child process"]
fn run_attributes() {
    let telemetry = init();
    workflow("w").call(|| {
        let run = hub_otel::current();
        run.conversation("c").session("s").run_attribute("tenant.id", "of the run");
        info_span!("inside").in_scope(|| info_span!("below").in_scope(|| ()));
        info_span!("own", tenant.id = "of the span").in_scope(|| ());
    });
    info_span!("outside").in_scope(|| ());
    assert!(telemetry.shutdown_blocking().is_complete());
}

fn filtered(directives: &str) {
    let telemetry = Telemetry::builder().build().expect("it starts");
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::EnvFilter::new(directives))
        .with(hub_otel::otel::tracing_layer(&telemetry));
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
    telemetry.install().expect("the install");
    current(telemetry);
}

#[test]
#[ignore = "runs in a child process"]
fn filtered_by_target() {
    filtered("pipeline=info");
}

#[test]
#[ignore = "runs in a child process"]
fn filtered_with_the_remedy() {
    filtered("pipeline=info,hub_otel=error");
}

async fn unit(id: &'static str) {
    let body = async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        match id {
            "one" => info_span!("one").in_scope(|| ()),
            "two" => info_span!("two").in_scope(|| ()),
            "dropped" => {
                let _open = info_span!("dropped").entered();
            }
            _ => info_span!("panicking").in_scope(|| panic!("on purpose")),
        }
        tokio::task::yield_now().await;
        if id == "dropped" {
            std::future::pending::<()>().await;
        }
    };
    agent(id, "x").run(body).await;
}

#[test]
#[ignore = "runs in a child process"]
fn interleaved() {
    let telemetry = init();
    block_on(async {
        let panicking = tokio::spawn(unit("panicking"));
        let dropped = async {
            tokio::select! {
                biased;
                () = unit("dropped") => {}
                () = async { for _ in 0..9 { tokio::task::yield_now().await } } => {}
            }
        };
        tokio::join!(unit("one"), dropped, unit("two"));
        assert!(panicking.await.is_err());
        assert!(Span::current().is_none() && !Context::current().has_active_span());
    });
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[ignore = "runs in a child process"]
fn late() {
    let telemetry = init();
    let followed = info_span!("followed");
    let mut late = Span::none();
    agent("a", "x").call(|| {
        late = info_span!("late");
        late.follows_from(&followed);
    });
    // The times of a unit and of a span of `tracing` are of two clocks, which differ on a machine
    // under load.
    let ended = Instant::now();
    poll::until(Duration::from_secs(10), || ended.elapsed() > Duration::from_millis(100));
    late.in_scope(|| ());
    drop((followed, late));
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[ignore = "runs in a child process"]
fn span_ext() {
    let telemetry = init();
    let parent = SpanContext::new(
        TraceId::from(7),
        SpanId::from(9),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let span = info_span!("remote", size = 3_u64);
    span.set_parent(Context::new().with_remote_span_context(parent)).expect("not started");
    span.in_scope(|| {
        let current = Context::map_current(|context| context.span().span_context().clone());
        assert_eq!(span.context().span().span_context(), &current);
    });
    drop(span);
    agent("a", "x").call(|| {
        Span::current().set_attribute("added", "to the unit");
        let unit = hub_otel::current();
        let context = Span::current().context();
        let id = context.span().span_context().span_id().to_string();
        assert_eq!(Some(id), unit.span_id());
    });
    telemetry.shutdown_blocking();
}

#[test]
#[ignore = "runs in a child process"]
fn fields() {
    let telemetry = init();
    tracing::info!("outside");
    let outer = info_span!("outer", tenant = "acme", level = "outer", place = "outer");
    let inner = info_span!(
        parent: &outer,
        "fields",
        otel.kind = "client",
        level = "inner",
        place = "inner",
        u64 = 1_u64,
        usize = 2_usize,
        u128 = 3_u128,
        i64 = -4_i64,
        option = Some(5_u64),
        u128_max = u128::MAX,
        digits = "42",
        debug = ?[1, 2],
        api_key = "hunter2",
        later = tracing::field::Empty,
    );
    inner.record("later", 6_u64);
    inner.in_scope(|| {
        for _ in 0..1_000 {
            inner.record("later", "text");
            inner.record("later", 7_u64);
        }
        tracing::info!(place = "event", "of the inner span");
    });
    drop((inner, outer));
    telemetry.shutdown_blocking();
}

#[test]
#[ignore = "runs in a child process"]
fn finest() {
    let telemetry = init();
    for _ in 0..30 {
        agent("a", "x").call(|| {
            tracing::trace_span!(target: "h2", "of the program").in_scope(|| {
                tracing::trace!("a line");
            });
        });
        telemetry.flush_blocking();
    }
    telemetry.shutdown_blocking();
}

#[tracing::instrument(err)]
fn failing() -> Result<(), std::num::ParseIntError> {
    "x".parse::<u8>().map(|_| ())
}

#[test]
#[ignore = "runs in a child process"]
fn errors() {
    let telemetry = init();
    agent("a", "x").call(|| {
        tracing::error!("an error in the agent");
        let _ = failing();
    });
    telemetry.shutdown_blocking();
}

#[test]
#[ignore = "runs in a child process"]
fn own_bridge() {
    let telemetry = Telemetry::builder().build().expect("it starts");
    let own = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let bridge = tracing_opentelemetry::layer().with_tracer(own.tracer("app"));
    let subscriber =
        tracing_subscriber::registry().with(bridge).with(hub_otel::otel::log_layer(&telemetry));
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
    telemetry.install().expect("the install");
    info_span!("around", tenant = "acme").in_scope(|| {
        agent("a", "x").call(|| {
            assert!(Span::current().metadata().is_none_or(|span| span.name() == "around"));
            tracing::info!("in the agent");
        });
    });
    telemetry.shutdown_blocking();
}

#[test]
#[ignore = "runs in a child process"]
fn level() {
    let telemetry = init();
    let level = tracing::level_filters::LevelFilter::current().to_string().to_uppercase();
    eprintln!("levels {level} {}", log::max_level());
    telemetry.shutdown_blocking();
}

#[test]
#[ignore = "runs in a child process"]
fn twice() {
    for (name, size) in [("first", 1_usize), ("second", 2)] {
        let telemetry = hub_otel::init(name).expect("the install");
        agent("a", "x").call(|| info_span!("inside", size).in_scope(|| ()));
        assert!(telemetry.shutdown_blocking().is_complete());
        info_span!("between the installations").in_scope(|| ());
    }
}
