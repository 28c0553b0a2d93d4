//! Everything that the library records, once.
#![expect(clippy::disallowed_methods, reason = "attributes of another library")]

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use futures_util::StreamExt;
use hub_otel::approval::{self, Decision};
use hub_otel::db::Db;
use hub_otel::http::{Client, ServerLayer};
use hub_otel::openai::OpenAiLayer;
use hub_otel::{
    Backlog, ContentCapture, LlmRequest, Message, TimedOut, UnitStatus, Usage, agent, current, llm,
    tool, workflow,
};
use hub_otel_tests::poll;
use hub_otel_tests::program::{Transport, settings};
use hub_otel_tests::receiver::{Item, Receiver, Signal};
use hub_otel_tests::scrape::Scrape;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::io;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use tower::{Layer, Service};

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
        ("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai/dup"),
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
            .capture_content(ContentCapture::SpansAndEvents)
            .set_var("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs/dup")
            .install()
            .expect("valid settings");
        let waiting = || Backlog {
            workflow_id: "patch".into(),
            pending: 2,
            oldest_age: Duration::from_secs(60),
        };
        telemetry.observe_approvals(move || async move { vec![waiting()] });
        telemetry.observe_queue(move || async move { vec![waiting()] });
        units().await;
        let _open = open_at_the_shutdown().await;
        http().await;
        openai().await;
        // An open pool is exported until it is dropped.
        let _pool = databases().await;
        gen_ai(&telemetry);
        let address = telemetry.metrics_addr().expect("metrics are served");
        let scrape = tokio::task::spawn_blocking(move || {
            // The snapshots of the process and of the backlogs come on their own time.
            poll::until(Duration::from_secs(60), || {
                let scrape = Scrape::of(format!("http://{address}/metrics"));
                let there = |name: &str| scrape.samples.iter().any(|sample| sample.name == name);
                let all = [
                    "workflow_approval_pending",
                    "workflow_queue_pending",
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
    calls().await;
    let segment = workflow("patch")
        .run(async {
            let created = SystemTime::now() - Duration::from_millis(5);
            current().queued_since(created).suspend("approval");
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
    let mut open: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(
        workflow("scan")
            .run(agent("scanner", "scan").run(
                llm("openai", "gpt-4o").run(tool("search").run(std::future::pending::<()>())),
            )),
    );
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

/// Calls of a model and of a tool with every outcome and every fact.
async fn calls() {
    #[hub_otel::instrument_llm(model = "gpt-4o", err(expected = always))]
    async fn expected_of_a_model() -> Result<(), io::Error> {
        Err(io::Error::other("as expected"))
    }
    #[hub_otel::instrument_tool(name = "search", err(expected = always))]
    async fn expected_of_a_tool() -> Result<(), io::Error> {
        Err(io::Error::other("as expected"))
    }
    let request = LlmRequest::new()
        .temperature(0.5)
        .top_p(0.9)
        .top_k(40)
        .max_tokens(512)
        .frequency_penalty(0.1)
        .presence_penalty(0.1)
        .seed(7)
        .choice_count(2)
        .stop_sequences(["stop"])
        .encoding_formats(["float"])
        .dimensions(256)
        .output_type("json");
    let chat = llm("openai", "gpt-4o").data_source("handbook").request(request).run(async {
        current()
            .usage(Usage::new(100, 20).cache_read(64).cache_write(16).reasoning(8))
            .response("gpt-4o-2024-08-06", "chatcmpl-1", ["stop", "length"])
            .system_instructions("Answer briefly.")
            .input_messages(["How wide is a heron?"].map(Message::user))
            .output_messages(["About 1.9 m."].map(Message::assistant));
    });
    let words = || futures_util::stream::iter(["a", "b"]);
    let body = async {
        agent("scanner", "scan").run(chat).await;
        tool("search").call_id("call_1").run_stream_with(words(), |_, _| {}).count().await;
        llm("openai", "gpt-4o").run_stream_with(words(), |_, _| {}).count().await;
        drop(expected_of_a_model().await);
        drop(expected_of_a_tool().await);
        tool("search").arguments("{}").call(|| {
            current().tool_call_result("[]");
        });
        drop(tool("search").call(|| Err::<(), _>(io::Error::other("no index"))));
        drop(llm("openai", "gpt-4o").call(|| Err::<(), _>(io::Error::other("no quota"))));
    };
    workflow("scan").conversation("conversation-1").run(body).await;
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
    drop(client.get("http://127.0.0.1:1/").send().await.expect_err("the port is closed"));
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

/// A call of OpenAI's API through the layer.
async fn openai() {
    let reply = r#"{"service_tier":"default","system_fingerprint":"fp_1"}"#;
    let app = Router::new().route(
        "/v1/chat/completions",
        post(async move || ([(CONTENT_TYPE, "application/json")], reply)),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client
        .post(format!("http://{address}/v1/chat/completions"))
        .body(r#"{"model":"gpt-4o","service_tier":"auto"}"#)
        .build()
        .expect("a request");
    let response = OpenAiLayer::new().layer(client).call(request).await.expect("a response");
    response.bytes().await.expect("a body");
    server.abort();
}

/// Calls of models and of a tool by another library, successful and failed.
fn gen_ai(telemetry: &hub_otel::Telemetry) {
    let tracer = hub_otel::otel::tracer_provider(telemetry).tracer("a library");
    let call = |operation: &'static str, more: &[KeyValue]| {
        let mut span = tracer
            .span_builder(operation)
            .with_kind(opentelemetry::trace::SpanKind::Client)
            .start(&tracer);
        span.set_attribute(KeyValue::new("gen_ai.operation.name", operation));
        span.set_attributes(more.to_vec());
        span.end();
    };
    let model = [
        KeyValue::new("gen_ai.provider.name", "openai"),
        KeyValue::new("gen_ai.request.model", "gpt-5"),
        KeyValue::new("gen_ai.usage.input_tokens", 100),
        KeyValue::new("gen_ai.usage.output_tokens", 10),
        KeyValue::new("gen_ai.response.time_to_first_chunk", 0.1),
        KeyValue::new("error.type", "429"),
    ];
    let tool =
        [KeyValue::new("gen_ai.tool.name", "search"), KeyValue::new("error.type", "timeout")];
    hub_otel::workflow("research").budget(hub_otel::Budget::new().llm_calls(1)).call(|| {
        hub_otel::agent("planner", "plan").call(|| call("chat", &model[..5]));
        // The second one is past the budget.
        hub_otel::agent("planner", "plan").call(|| call("chat", &model[..5]));
    });
    call("chat", &[KeyValue::new("gen_ai.request.model", "model-of-tomorrow")]);
    call("chat", &model);
    call("execute_tool", &tool);
}

/// A statement that works, and one that breaks a constraint.
async fn databases() -> Db<sqlx::Sqlite> {
    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await.expect("a database");
    let db = Db::new(pool).pool_name("runs");
    sqlx::query("CREATE TABLE runs (id INTEGER PRIMARY KEY)").execute(&db).await.expect("a table");
    for _ in 0..2 {
        drop(sqlx::query("INSERT INTO runs (id) VALUES (1)").execute(&db).await);
    }
    db
}
