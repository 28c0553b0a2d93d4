//! Spans of the `tracing` crate beside units: nesting, fields, filters. Each case runs in a child
//! process, because a subscriber is global.

use crate::kit;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Item, Receiver, int, text};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::collections::HashMap;
use std::time::Duration;

/// Runs one of the cases below with `variables`. Returns the text of stderr.
#[track_caller]
fn run(name: &str, receiver: &Receiver, variables: &[(&str, &str)]) -> String {
    let mut command = kit::case(&format!("tracing_spans::case::{name}"));
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_METRICS_EXPORTER", "none")
        .envs(variables.iter().copied());
    let mut process = Process::spawn(&mut command);
    let status = process.exit(Duration::from_secs(60));
    assert!(status.success(), "{status}\n{}\n{}", process.stdout(), process.stderr());
    process.stderr()
}

/// Name of each span with the name of its parent, sorted. `?` is a parent that was not exported.
fn family(receiver: &Receiver) -> Vec<String> {
    let spans = receiver.spans();
    let names: HashMap<_, _> = spans.iter().map(|span| (&span.span_id, &span.name)).collect();
    let mut family: Vec<_> = spans
        .iter()
        .map(|span| match names.get(&span.parent_span_id) {
            Some(parent) => format!("{} < {parent}", span.name),
            None if span.parent_span_id.is_empty() => span.name.clone(),
            None => format!("{} < ?", span.name),
        })
        .collect();
    family.sort();
    family
}

fn named(receiver: &Receiver, name: &str) -> Item<Span> {
    receiver.spans().into_iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn record(receiver: &Receiver, body: &str) -> Item<LogRecord> {
    let mut records = receiver.logs();
    records.retain(|record| format!("{:?}", record.body).contains(body));
    assert_eq!(records.len(), 1, "{body}: {records:?}");
    records.remove(0)
}

const FOUR_LEVELS: [&str; 5] = [
    "agent.execute < between",
    "between < workflow.execute",
    "innermost < agent.execute",
    "outermost",
    "workflow.execute < outermost",
];

#[test]
fn spans_of_tracing_and_units_nest_in_both_directions() {
    for name in ["nested", "nested_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[]);
        assert_eq!(family(&receiver), FOUR_LEVELS, "{name}");
        let traces: std::collections::HashSet<_> =
            receiver.spans().iter().map(|span| span.trace_id.clone()).collect();
        assert_eq!(traces.len(), 1);
        assert_eq!(named(&receiver, "between").scope.name, "tracing");
        // The log record carries the ids of the innermost span.
        assert_eq!(
            record(&receiver, "in the innermost").span_id,
            named(&receiver, "innermost").span_id
        );
    }
}

#[test]
fn a_unit_is_the_current_span_for_spawned_tasks_threads_and_explicit_parents() {
    for name in ["current_span", "current_span_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[("RUST_LOG", "warn,pipeline=info")]);
        let expected = [
            "agent.execute",
            "agent.execute < agent.execute",
            "explicit < agent.execute",
            "other thread < agent.execute",
            "spawned < agent.execute",
        ];
        assert_eq!(family(&receiver), expected, "{name}");
    }
}

#[test]
fn spans_in_joined_dropped_and_panicking_units_have_their_own_unit_as_parent() {
    let receiver = Receiver::start();
    run("interleaved", &receiver, &[]);
    let spans = receiver.spans();
    for name in ["one", "two", "dropped", "panicking"] {
        let child = named(&receiver, name);
        let parent = spans.iter().find(|span| span.span_id == child.parent_span_id);
        let id = parent.and_then(|span| text(&span.attributes, "agent.id"));
        assert_eq!(id, Some(name), "{:?}", family(&receiver));
    }
    assert_eq!(spans.len(), 8);
}

#[test]
fn the_context_of_open_telemetry_is_available_and_a_remote_parent_can_be_set() {
    let receiver = Receiver::start();
    run("span_ext", &receiver, &[]);
    let remote = named(&receiver, "remote");
    assert_eq!(remote.trace_id, 7_u128.to_be_bytes());
    assert_eq!(remote.parent_span_id, 9_u64.to_be_bytes());
    // An integer field does not start the span before the parent is set.
    assert_eq!(int(&remote.attributes, "size"), Some(3));
    assert_eq!(text(&named(&receiver, "agent.execute").attributes, "added"), Some("to the unit"));
}

#[test]
fn fields_keep_their_types_and_are_on_the_log_records_inside() {
    let receiver = Receiver::start();
    run("fields", &receiver, &[]);
    let span = named(&receiver, "fields");
    let inner = record(&receiver, "of the inner span");
    for attributes in [&span.attributes, &inner.attributes] {
        for (key, value) in
            [("u64", 1), ("usize", 2), ("u128", 3), ("i64", -4), ("option", 5), ("later", 7)]
        {
            assert_eq!(int(attributes, key), Some(value), "{key}: {attributes:?}");
            assert_eq!(attributes.iter().filter(|entry| entry.key == key).count(), 1, "{key}");
        }
        assert_eq!(text(attributes, "digits"), Some("42"), "a text stays one");
        assert_eq!(text(attributes, "u128_max"), Some(u128::MAX.to_string().as_str()));
        assert_eq!(text(attributes, "debug"), Some("[1, 2]"));
        assert_eq!(text(attributes, "api_key"), Some("[REDACTED]"));
    }
    // A field of the event precedes one of the inner span, which precedes one of the outer span.
    assert_eq!(text(&inner.attributes, "tenant"), Some("acme"));
    assert_eq!(text(&inner.attributes, "level"), Some("inner"));
    assert_eq!(text(&inner.attributes, "place"), Some("event"));
    let keys: Vec<_> = inner.attributes.iter().map(|entry| &entry.key).collect();
    let mut unique = keys.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), keys.len(), "{keys:?}");
    assert!(!keys.iter().any(|key| key.starts_with("otel.")), "{keys:?}");
    assert_eq!(text(&record(&receiver, "outside").attributes, "tenant"), None);
}

#[test]
fn the_exporters_own_spans_never_appear_and_no_event_is_recorded_twice() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start();
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_BSP_SCHEDULE_DELAY", "5"),
            ("RUST_LOG", "trace"),
        ];
        let stderr = run("finest", &receiver, &variables);
        assert!(!stderr.contains("hub_otel.unit"), "lines on stderr have no span of a unit");
        let mut names: Vec<_> = receiver.spans().iter().map(|span| span.name.clone()).collect();
        names.sort();
        names.dedup();
        // The program may use the same crates.
        assert_eq!(names, ["agent.execute", "of the program"], "{protocol}");
        assert_eq!(receiver.spans().len(), 60, "{protocol}");
        let events: usize = receiver.spans().iter().map(|span| span.events.len()).sum();
        assert_eq!(events, 0, "events are log records");
        let lines = receiver.logs();
        let own = lines.iter().filter(|line| format!("{:?}", line.body).contains("a line"));
        assert_eq!(own.count(), 30, "{protocol}");
    }
}

#[test]
fn an_error_event_fails_the_span_of_tracing_around_it_and_no_unit() {
    let receiver = Receiver::start();
    run("errors", &receiver, &[]);
    let code = |span: &Item<Span>| span.status.clone().unwrap_or_default().code();
    let failed = named(&receiver, "failing");
    assert_eq!(code(&failed), StatusCode::Error);
    assert_eq!(failed.events.len(), 1, "{:?}", failed.events);
    let agent = named(&receiver, "agent.execute");
    assert_eq!(text(&agent.attributes, "agent.status"), Some("SUCCESS"));
    assert_eq!((code(&agent), agent.events.len()), (StatusCode::Ok, 0));
    record(&receiver, "an error in the agent");
}

#[test]
fn a_subscriber_with_a_bridge_of_its_own_gets_log_records_only() {
    let receiver = Receiver::start();
    run("own_bridge", &receiver, &[]);
    assert_eq!(family(&receiver), ["agent.execute < ?"], "its parent is of the other provider");
    let inside = record(&receiver, "in the agent");
    assert_eq!(text(&inside.attributes, "tenant"), Some("acme"));
}

#[test]
fn the_level_of_the_subscriber_is_the_one_of_rust_log() {
    let receiver = Receiver::start();
    for (directives, level) in
        [(None, "INFO"), (Some("warn,pipeline=debug"), "DEBUG"), (Some("error"), "ERROR")]
    {
        let variables: Vec<_> = directives.iter().map(|value| ("RUST_LOG", *value)).collect();
        let stderr = run("level", &receiver, &variables);
        assert!(stderr.contains(&format!("levels {level} {level}\n")), "{directives:?}: {stderr}");
    }
}

#[test]
fn rust_log_selects_the_spans() {
    let receiver = Receiver::start();
    run("nested", &receiver, &[("RUST_LOG", "warn")]);
    assert_eq!(family(&receiver), ["agent.execute < workflow.execute", "workflow.execute"]);
}

#[test]
fn below_an_unsampled_unit_nothing_is_exported() {
    for (sampler, exported) in [("always_off", 0), ("parentbased_always_off", 0)] {
        let receiver = Receiver::start();
        run("current_span", &receiver, &[("OTEL_TRACES_SAMPLER", sampler)]);
        assert_eq!(receiver.spans().len(), exported, "{sampler}: {:?}", family(&receiver));
    }
}

#[test]
fn without_an_exporter_of_traces_log_records_keep_the_ids_of_their_unit() {
    let receiver = Receiver::start();
    run("nested", &receiver, &[("OTEL_TRACES_EXPORTER", "none")]);
    let ended = record(&receiver, "in the innermost");
    assert_eq!((ended.trace_id.len(), ended.span_id.len()), (16, 8));
    assert!(receiver.spans().is_empty());
}

#[test]
fn a_second_installation_exports_the_spans_of_its_time() {
    let receiver = Receiver::start();
    run("twice", &receiver, &[]);
    let mut spans: Vec<_> = receiver
        .spans()
        .iter()
        .map(|span| {
            let service = text(&span.resource.attributes, "service.name").unwrap_or_default();
            format!("{service} {} {}", span.name, int(&span.attributes, "size").unwrap_or_default())
        })
        .collect();
    spans.sort();
    assert_eq!(
        spans,
        ["first agent.execute 0", "first inside 1", "second agent.execute 0", "second inside 2",]
    );
    assert!(family(&receiver).iter().any(|line| line == "inside < agent.execute"));
}

mod case {
    use hub_otel::{Telemetry, agent, workflow};
    use opentelemetry::Context;
    use opentelemetry::trace::{
        SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
    };
    use tracing::{Instrument, Span, info_span};
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    use tracing_subscriber::layer::SubscriberExt;

    fn init() -> Telemetry {
        hub_otel::init("tracing-spans").expect("the install")
    }

    /// Installs with a subscriber of the application that has our layer.
    fn init_own_subscriber() -> Telemetry {
        let telemetry = Telemetry::builder().build().expect("it starts");
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

    #[test]
    #[ignore = "runs in a child process"]
    fn nested() {
        nest(init());
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn nested_own_subscriber() {
        nest(init_own_subscriber());
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
        current(init_own_subscriber());
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
}
