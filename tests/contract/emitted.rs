//! Everything that the library records, once.

use axum::Router;
use axum::routing::get;
use futures_util::StreamExt;
use hub_otel::approval::{self, Backlog, Decision};
use hub_otel::db::Db;
use hub_otel::http::{Client, ServerLayer};
use hub_otel::{TimedOut, UnitStatus, agent, current, workflow};
use hub_otel_tests::poll;
use hub_otel_tests::program::{Transport, settings};
use hub_otel_tests::receiver::{Item, Receiver, Signal};
use hub_otel_tests::scrape::Scrape;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::io;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

/// Received and scraped telemetry.
pub(crate) struct Emitted {
    pub(crate) spans: Vec<Item<Span>>,
    pub(crate) logs: Vec<Item<LogRecord>>,
    pub(crate) metrics: Vec<Item<Metric>>,
    pub(crate) scrape: Scrape,
}

/// Recorded at the first call, for all tests.
pub(crate) fn emitted() -> &'static Emitted {
    static EMITTED: LazyLock<Emitted> = LazyLock::new(emit);
    &EMITTED
}

fn emit() -> Emitted {
    let receiver = Receiver::start();
    let mut environment = settings(&receiver.endpoint(), Transport::Grpc);
    let more = [
        ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        // Agents' own start and end are DEBUG.
        ("RUST_LOG", "hub_otel=debug"),
    ];
    environment.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // More than one worker: one of them may be waited for.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let scrape = runtime.block_on(async {
        let telemetry = hub_otel::Telemetry::builder()
            .env_source(environment)
            .install()
            .expect("valid settings");
        telemetry.observe_approvals(|| async {
            vec![Backlog {
                workflow_id: "patch".into(),
                pending: 2,
                oldest_age: Duration::from_secs(60),
            }]
        });
        units().await;
        let _open = open_at_the_shutdown().await;
        http().await;
        databases().await;
        let address = telemetry.metrics_addr().expect("metrics are served");
        let scrape = tokio::task::spawn_blocking(move || {
            // The snapshots of the process and of the approvals come on their own time.
            poll::until(Duration::from_secs(60), || {
                let scrape = Scrape::of(format!("http://{address}/metrics"));
                let there = |name: &str| scrape.samples.iter().any(|sample| sample.name == name);
                let all = [
                    "workflow_approval_pending",
                    "process_uptime_seconds",
                    "hub_otel_runtime_lag_seconds_count",
                ];
                all.iter().all(|name| there(name)).then_some(scrape)
            })
        });
        let scrape = scrape.await.expect("the snapshots came");
        let report = telemetry.shutdown().await;
        assert!(report.is_complete(), "{report}");
        scrape
    });
    assert!(receiver.attempts(Signal::Metrics) > 0);
    Emitted { spans: receiver.spans(), logs: receiver.logs(), metrics: receiver.metrics(), scrape }
}

/// Runs units with every outcome and every late fact.
async fn units() {
    let failing = || async { Err::<(), _>(io::Error::other("the disk is full")) };
    let scan = async {
        agent("scanner", "scan")
            .name("Scanner")
            .run(async {
                current().record_retry_after("rate_limited", Duration::from_millis(1));
            })
            .await;
        drop(agent("scanner", "scan").run(failing()).await);
        assert_eq!(
            approval::wait("approval-1", async { Decision::Approved }).await,
            Decision::Approved
        );
    };
    workflow("scan").name("Scan").run_id("run-1").run(scan).await;
    drop(workflow("scan").run(failing()).await);
    assert!(workflow("scan").run(async { Err::<(), _>(TimedOut::default()) }).await.is_err());
    assert!(
        agent("scanner", "scan").run(async { Err::<(), _>(TimedOut::default()) }).await.is_err()
    );
    expected().await;
    streams().await;
    let segment = workflow("patch")
        .run(async {
            current().suspend("approval");
            Ok::<_, io::Error>(current().segment())
        })
        .await
        .expect("no error")
        .expect("a segment");
    approval::record(
        "approval-2",
        &segment,
        SystemTime::now() - Duration::from_secs(5),
        Decision::Rejected,
    );
    segment.record_end(UnitStatus::Rejected, None);
    let cancelled = workflow("scan").run(std::future::pending::<()>());
    assert!(tokio::time::timeout(Duration::from_millis(10), cancelled).await.is_err());
}

/// Starts a workflow with an agent that the shutdown ends.
async fn open_at_the_shutdown() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    let mut open: std::pin::Pin<Box<dyn Future<Output = ()>>> =
        Box::pin(workflow("scan").run(agent("scanner", "scan").run(std::future::pending::<()>())));
    assert!(tokio::time::timeout(Duration::from_millis(10), &mut open).await.is_err());
    open
}

fn always(_error: &io::Error) -> bool {
    true
}

async fn expected() {
    #[hub_otel::instrument_workflow(id = "scan", err(expected = always))]
    async fn nothing_to_scan() -> Result<(), io::Error> {
        with_expected_error().await
    }

    #[hub_otel::instrument_agent(id = "scanner", action = "scan", err(expected = always))]
    async fn with_expected_error() -> Result<(), io::Error> {
        Err(io::Error::other("as expected"))
    }

    drop(nothing_to_scan().await);
}

async fn streams() {
    let words = || futures_util::stream::iter(["a", "b"]);
    let agent = agent("scanner", "scan").run_stream_with(words(), |_, _| {});
    assert_eq!(workflow("scan").run_stream_with(agent, |_, _| {}).count().await, 2);
}

/// A server and a client of it, with one answer that is an error.
async fn http() {
    let app =
        Router::new().route("/found/{id}", get(|| async { "found" })).layer(ServerLayer::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new();
    for path in ["/found/7", "/lost"] {
        drop(
            client
                .get(format!("http://{address}{path}"))
                .send()
                .await
                .expect("an answer")
                .text()
                .await,
        );
    }
    server.abort();
    drop(client.get("http://127.0.0.1:1/").send().await.expect_err("nobody listens"));
    // A server error has an error.type as well.
    let app = Router::new()
        .route("/broken", get(|| async { axum::http::StatusCode::INTERNAL_SERVER_ERROR }))
        .layer(ServerLayer::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    drop(
        client
            .get(format!("http://{address}/broken"))
            .send()
            .await
            .expect("an answer")
            .text()
            .await,
    );
    server.abort();
}

/// A statement that works, and one that breaks a constraint.
async fn databases() {
    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let db = Db::new(options.connect("sqlite::memory:").await.expect("a database"));
    sqlx::query("CREATE TABLE runs (id INTEGER PRIMARY KEY)").execute(&db).await.expect("a table");
    for _ in 0..2 {
        drop(sqlx::query("INSERT INTO runs (id) VALUES (1)").execute(&db).await);
    }
    db.close().await;
}
