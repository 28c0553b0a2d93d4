//! SIGTERM and SIGINT after telemetry is gone, during a drain, and in process 1. Each case runs in
//! a child process.

use crate::kit;
use hub_otel_tests::poll;
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::{Behaviour, Receiver, Signal};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Returns the command that runs one of the cases below in this test program.
fn case(name: &str) -> Command {
    let mut command = kit::case(&format!("signals::case::{name}"));
    command.env("OTEL_METRICS_EXPORTER", "none").env("OTEL_LOGS_EXPORTER", "none");
    command
}

#[test]
fn after_the_last_waiting_part_is_gone_a_signal_ends_the_process() {
    for name in ["shut_down", "guard_dropped", "future_dropped"] {
        for (is_interrupt, number) in [(false, 15), (true, 2)] {
            let mut process = Process::spawn(case(name).env("OTEL_TRACES_EXPORTER", "none"));
            process.line(SOON, "ready");
            if is_interrupt {
                process.interrupt();
            } else {
                process.terminate();
            }
            assert_eq!(process.exit(SOON).signal(), Some(number), "{name}");
        }
    }
}

#[test]
fn a_second_signal_ends_a_drain_that_hangs() {
    for name in ["drain_by_handler", "drain_by_program"] {
        let receiver = Receiver::start();
        receiver.script(Signal::Traces, [Behaviour::Hang]);
        let mut process =
            Process::spawn(case(name).env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()));
        process.line(SOON, "ready");
        process.terminate();
        poll::until(SOON, || receiver.attempts(Signal::Traces) > 0);
        assert!(process.is_running(), "{name}");
        // Repeated: a signal within a second of the first one is the same request.
        poll::until(SOON, || {
            process.terminate();
            !process.is_running()
        });
        assert_eq!(process.exit(SOON).signal(), Some(15), "{name}");
    }
}

#[test]
fn a_signal_that_is_sent_twice_delivers() {
    for name in ["drain_by_handler", "drain_by_program"] {
        let receiver = Receiver::start();
        let mut process =
            Process::spawn(case(name).env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()));
        process.line(SOON, "ready");
        process.terminate();
        process.terminate();
        let status = process.exit(SOON);
        assert_eq!(receiver.spans().len(), 1, "{name}: {status}");
    }
}

#[test]
fn another_waiting_part_keeps_its_handler() {
    let mut process =
        Process::spawn(case("one_of_two_dropped").env("OTEL_TRACES_EXPORTER", "none"));
    process.line(SOON, "ready");
    process.terminate();
    let status = process.exit(SOON);
    assert!(status.success(), "{status}");
}

#[test]
fn process_1_ends_with_status_128_plus_the_signal() {
    for name in ["process_1_by_handler", "process_1_after_shutdown"] {
        let case = case(name);
        let mut command = command("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]);
        command.arg(case.get_program()).args(case.get_args());
        command.envs(case.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", "/usr/bin:/bin").env("OTEL_TRACES_EXPORTER", "none");
        let mut process = Process::spawn(&mut command);
        let status = process.exit(SOON);
        if process.stderr().contains("unshare failed") {
            println!("skipped: a PID namespace needs privileges: {}", process.stderr().trim());
            return;
        }
        assert_eq!(status.code(), Some(143), "{name}: {status}\n{}", process.stderr());
    }
}

mod case {
    use crate::kit;
    use hub_otel::Telemetry;
    use std::process::Command;
    use std::time::Duration;

    fn forever() -> ! {
        println!("ready");
        loop {
            std::thread::park();
        }
    }

    fn with_handler() -> Telemetry {
        Telemetry::builder()
            .shutdown_on_signal(true)
            .shutdown_timeout(Duration::from_secs(600))
            .install()
            .expect("the install")
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }

    /// Polls `future` once, which installs the handlers.
    async fn poll_once(future: std::pin::Pin<&mut impl Future<Output = ()>>) {
        let mut future = future;
        std::future::poll_fn(|context| {
            assert!(future.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn shut_down() {
        with_handler().shutdown_blocking();
        forever();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn guard_dropped() {
        drop(with_handler());
        forever();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn future_dropped() {
        block_on(async {
            let mut signal = Box::pin(hub_otel::shutdown_signal());
            poll_once(signal.as_mut()).await;
        });
        forever();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn one_of_two_dropped() {
        block_on(async {
            let mut kept = Box::pin(hub_otel::shutdown_signal());
            let mut dropped = Box::pin(hub_otel::shutdown_signal());
            poll_once(kept.as_mut()).await;
            poll_once(dropped.as_mut()).await;
            drop(dropped);
            println!("ready");
            kept.await;
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn drain_by_handler() {
        let telemetry = with_handler();
        kit::span(&telemetry, "before the signal");
        forever();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn drain_by_program() {
        let telemetry = Telemetry::builder()
            .shutdown_timeout(Duration::from_secs(600))
            .install()
            .expect("the install");
        kit::span(&telemetry, "before the signal");
        block_on(async {
            let mut signal = Box::pin(hub_otel::shutdown_signal());
            poll_once(signal.as_mut()).await;
            println!("ready");
            signal.await;
            telemetry.shutdown().await;
        });
    }

    /// Sends SIGTERM to process 1, which this process is.
    fn terminate_process_1() -> ! {
        let status = Command::new("kill").args(["-TERM", "1"]).status();
        assert!(status.expect("kill runs").success());
        forever();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn process_1_by_handler() {
        let _telemetry = with_handler();
        terminate_process_1();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn process_1_after_shutdown() {
        with_handler().shutdown_blocking();
        terminate_process_1();
    }
}
