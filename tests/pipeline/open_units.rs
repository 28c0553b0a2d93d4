//! Workflows and agents that are in progress when telemetry is shut down. Each case runs in a child
//! process.

use crate::kit;
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Receiver, text};
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Returns the command that runs one of the cases below in this test program.
fn case(name: &str, receiver: &Receiver) -> Command {
    let mut command = kit::case(&format!("open_units::case::{name}"));
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("RUST_LOG", "hub_otel=debug"),
    ]);
    command
}

/// Asserts that a workflow and three agents were ended once, by the shutdown, in every signal.
#[track_caller]
fn assert_ended_by_shutdown(receiver: &Receiver, stderr: &str) {
    let spans = receiver.spans();
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    let agent = "agent.execute";
    assert_eq!(names, [agent, agent, agent, "workflow.execute"], "{stderr}");
    for span in &spans {
        let status = text(&span.attributes, "agent.status")
            .or_else(|| text(&span.attributes, "workflow.status"));
        assert_eq!(status, Some("CANCELLED"), "{span:?}");
        assert_eq!(text(&span.attributes, "hub_otel.ended_by"), Some("shutdown"), "{span:?}");
    }
    assert_eq!(receiver.latest_sum("agent.runs.total"), 3.0, "{stderr}");
    assert_eq!(receiver.latest_sum("workflow.runs.total"), 1.0, "{stderr}");
    assert_eq!(receiver.latest_sum("workflows.active"), 0.0, "{stderr}");
    let logs = receiver.logs();
    let ended: Vec<_> =
        logs.iter().filter(|log| text(&log.attributes, "workflow.status").is_some()).collect();
    assert_eq!(ended.len(), 1, "{logs:?}");
    let workflow = spans.iter().find(|span| span.name == "workflow.execute").expect("one");
    assert_eq!(ended[0].span_id, workflow.span_id, "the record carries the ids of its unit");
    let line = "[OpenTelemetry] Shutdown complete (traces: 4 finished, 4 ok";
    assert!(stderr.contains(line), "{stderr}");
    assert!(stderr.contains("4 units were in progress and were ended by the shutdown"), "{stderr}");
}

#[test]
fn units_in_progress_at_the_shutdown_end_cancelled_and_once() {
    for name in ["shut_down", "guard_dropped"] {
        let receiver = Receiver::start();
        let mut process = Process::spawn(&mut case(name, &receiver));
        assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
        assert_ended_by_shutdown(&receiver, &process.stderr());
    }
}

#[test]
fn units_in_progress_at_a_signal_end_cancelled() {
    use std::os::unix::process::ExitStatusExt;
    let receiver = Receiver::start();
    let mut process = Process::spawn(&mut case("signal", &receiver));
    process.line(SOON, "ready");
    process.terminate();
    assert_eq!(process.exit(SOON).signal(), Some(15));
    assert_ended_by_shutdown(&receiver, &process.stderr());
}

#[test]
fn aborted_tasks_that_end_a_moment_later_are_awaited() {
    let receiver = Receiver::start();
    let mut process = Process::spawn(&mut case("join_set_dropped", &receiver));
    assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
    let spans = receiver.spans();
    assert_eq!(spans.len(), 20, "{}", process.stderr());
    for span in &spans {
        assert_eq!(text(&span.attributes, "agent.status"), Some("CANCELLED"), "{span:?}");
        let own_end = text(&span.attributes, "hub_otel.ended_by").is_none();
        assert!(own_end, "{span:?}");
    }
    assert_eq!(receiver.latest_sum("agent.runs.total"), 20.0);
    assert!(process.stderr().contains("[OpenTelemetry] Shutdown complete\n"));
}

#[test]
fn a_body_of_a_durable_engine_in_progress_at_the_shutdown_is_a_segment_in_every_signal() {
    let receiver = Receiver::start();
    let mut process = Process::spawn(&mut case("durable", &receiver));
    assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
    let spans = receiver.spans();
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(text(&span.attributes, "workflow.status"), Some("SUSPENDED"));
    assert_eq!(text(&span.attributes, "workflow.suspend.reason"), Some("dropped"));
    assert_eq!(text(&span.attributes, "hub_otel.ended_by"), Some("shutdown"));
    assert_eq!(receiver.latest_sum("workflow.runs.total"), 0.0);
    assert_eq!(receiver.latest_sum("workflows.active"), 0.0);
    let logs = receiver.logs();
    let ended = logs.iter().filter(|log| text(&log.attributes, "workflow.status").is_some());
    assert_eq!(ended.count(), 0, "the run has not ended: {logs:?}");
}

/// Returns the values of a gauge in the pushes, in order.
fn pushed(receiver: &Receiver, name: &str) -> Vec<f64> {
    let value = |point: &NumberDataPoint| match point.value {
        Some(Value::AsDouble(value)) => value,
        ref other => panic!("{name}: {other:?}"),
    };
    let metrics = receiver.metrics();
    let gauges = metrics.iter().filter(|metric| metric.name == name);
    gauges
        .filter_map(|metric| match metric.data.as_ref()? {
            Data::Gauge(gauge) => gauge.data_points.first().map(value),
            other => panic!("{name}: {other:?}"),
        })
        .collect()
}

#[test]
fn an_orderly_end_is_exported_and_a_killed_process_exports_none() {
    let receiver = Receiver::start();
    let mut process = Process::spawn(&mut case("signal", &receiver));
    process.line(SOON, "ready");
    process.terminate();
    process.exit(SOON);
    assert_eq!(pushed(&receiver, "hub_otel.up").last(), Some(&0.0), "{}", process.stderr());
    assert!(pushed(&receiver, "process.uptime").last() > Some(&0.0));

    let receiver = Receiver::start();
    let mut command = case("signal", &receiver);
    let mut process = Process::spawn(command.env("OTEL_METRIC_EXPORT_INTERVAL", "100"));
    process.line(SOON, "ready");
    poll::until(SOON, || pushed(&receiver, "hub_otel.up").len() > 1);
    process.kill();
    process.exit(SOON);
    assert!(pushed(&receiver, "hub_otel.up").iter().all(|up| *up == 1.0));
}

/// Runs a case that reads `/metrics` of its own process.
#[track_caller]
fn run_scraped(name: &str) {
    let receiver = Receiver::start();
    let served = [("OTEL_METRICS_EXPORTER", "prometheus"), ("OTEL_EXPORTER_PROMETHEUS_PORT", "0")];
    let mut process = Process::spawn(case(name, &receiver).envs(served));
    assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
}

#[test]
fn the_age_of_the_oldest_run_rises_while_it_executes_and_is_0_afterwards() {
    run_scraped("one_after_the_other");
}

#[test]
fn the_age_of_the_oldest_run_stops_while_it_waits_for_an_approval() {
    run_scraped("waiting");
}

mod case {
    use super::SOON;
    use hub_otel::{Telemetry, agent, instrument_agent, workflow};
    use hub_otel_tests::poll;
    use hub_otel_tests::scrape::Scrape;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::{Context, Poll, Waker};
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Blocks its thread until the sender is dropped.
    #[instrument_agent(id = "detached", action = "wait")]
    fn detached(until: Receiver<()>, ready: Sender<()>) {
        ready.send(()).expect("the starter waits");
        let _dropped = until.recv();
    }

    /// Units in progress: a workflow with an agent in a task, an agent in a thread, and one whose
    /// future is never dropped.
    struct Open {
        task: tokio::task::JoinHandle<()>,
        thread: JoinHandle<()>,
        thread_ends: Sender<()>,
    }

    async fn open() -> Open {
        let (started, mut starting) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::spawn(workflow("nightly").run(async move {
            agent("scanner", "scan")
                .run(async move {
                    started.send(()).expect("the starter waits");
                    std::future::pending::<()>().await
                })
                .await
        }));
        starting.recv().await.expect("it starts");
        let ((thread_ends, until), (ready, is_ready)) = (channel(), channel());
        let thread = std::thread::spawn(move || detached(until, ready));
        is_ready.recv().expect("it starts");
        let mut forgotten = Box::pin(agent("forgotten", "wait").run(std::future::pending::<()>()));
        let polled = forgotten.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending);
        std::mem::forget(forgotten);
        Open { task, thread, thread_ends }
    }

    impl Open {
        /// Lets the task and the thread end.
        async fn end(self) {
            self.task.abort();
            assert!(self.task.await.expect_err("aborted").is_cancelled());
            drop(self.thread_ends);
            self.thread.join().expect("no panic");
        }
    }

    fn run(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(work);
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn shut_down() {
        run(async {
            let telemetry = hub_otel::init("open").expect("the install");
            let open = open().await;
            let report = telemetry.shutdown().await;
            assert!(report.is_complete(), "{report}");
            assert_eq!(report.ended_by_shutdown, 4);
            open.end().await;
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn guard_dropped() {
        run(async {
            let telemetry = hub_otel::init("open").expect("the install");
            let open = open().await;
            drop(telemetry);
            open.end().await;
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn signal() {
        run(async {
            let _telemetry =
                Telemetry::builder().shutdown_on_signal(true).install().expect("the install");
            let _open = open().await;
            println!("ready");
            std::future::pending::<()>().await;
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn durable() {
        run(async {
            let telemetry = hub_otel::init("open").expect("the install");
            let body = async {
                hub_otel::current().suspend_on_drop();
                std::future::pending::<()>().await;
            };
            let mut open = Box::pin(workflow("nightly").run(body));
            let polled = open.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled, Poll::Pending);
            assert!(telemetry.shutdown().await.is_complete());
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn one_after_the_other() {
        run(async {
            let telemetry = hub_otel::init("open").expect("the install");
            let url = format!("http://{}/metrics", telemetry.metrics_addr().expect("served"));
            let labels = [("workflow_id", "nightly")];
            let age = || Scrape::of(&url).value("workflow_run_oldest_age_seconds", &labels);
            let [first, second] = [(), ()]
                .map(|()| tokio::spawn(workflow("nightly").run(std::future::pending::<()>())));
            tokio::task::block_in_place(|| poll::until(SOON, || age() > Some(0.3)));
            first.abort();
            assert!(first.await.expect_err("aborted").is_cancelled());
            // The other one started at the same time.
            let before = tokio::task::block_in_place(age);
            tokio::task::block_in_place(|| poll::until(SOON, || age() > before));
            second.abort();
            assert!(second.await.expect_err("aborted").is_cancelled());
            tokio::task::block_in_place(|| poll::until(SOON, || age() == Some(0.0)));
            telemetry.shutdown().await;
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn waiting() {
        run(async {
            let telemetry = hub_otel::init("open").expect("the install");
            let url = format!("http://{}/metrics", telemetry.metrics_addr().expect("served"));
            let labels = [("workflow_id", "nightly")];
            let approval = async {
                // The agent waits, and with it the workflow.
                let wait = hub_otel::approval::wait("release", std::future::pending::<bool>());
                agent("releaser", "release").run_with(wait, |_, _| {}).await
            };
            let run = tokio::spawn(workflow("nightly").run_with(approval, |_, _| {}));
            tokio::task::block_in_place(|| {
                poll::until(SOON, || {
                    let scrape = Scrape::of(&url);
                    let wait = scrape.value("workflow_approval_oldest_age_seconds", &labels);
                    let age = scrape.value("workflow_run_oldest_age_seconds", &labels);
                    // The time from the start of the run to its wait does not grow.
                    age.is_some() && wait > age.map(|age| 10.0 * age)
                });
            });
            run.abort();
            assert!(run.await.expect_err("aborted").is_cancelled());
            telemetry.shutdown().await;
        });
    }

    /// Takes a while to drop, as a connection that is closed does.
    struct Slow;

    impl Drop for Slow {
        fn drop(&mut self) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn join_set_dropped() {
        run(async {
            let _telemetry = hub_otel::init("open").expect("the install");
            let (started, mut starting) = tokio::sync::mpsc::unbounded_channel();
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..20 {
                let started = started.clone();
                tasks.spawn(agent("scanner", "scan").run(async move {
                    let _slow = Slow;
                    started.send(()).expect("the starter waits");
                    std::future::pending::<()>().await
                }));
            }
            for _ in 0..20 {
                starting.recv().await.expect("it starts");
            }
            drop(tasks);
        });
    }
}
