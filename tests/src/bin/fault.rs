//! The program of the process rows of the fault matrix: `fault SCENARIO [NUMBER]`.
//!
//! The scenario selects the items and the end of the process. The endpoint comes from the
//! environment.
#![expect(clippy::print_stdout, reason = "the parent reads the output")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is one of the scenarios, and the parent detects others"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "an application: it starts spans and builds instruments"
)]

use hub_otel_tests::process::{own_peak_bytes, own_resident_bytes};
use hub_otel_tests::program::{Program, id};
use opentelemetry::trace::{Span as _, Tracer as _};
use opentelemetry::{KeyValue, metrics::MeterProvider as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::io::Write as _;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let what = arguments.get(1).map_or("", String::as_str);
    let number =
        |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(500);
    match what {
        "signal" => signal(number(2)),
        "handler" => park(install(true), number(2)),
        "plain" => park(install(false), number(2)),
        "drop" => drop(sent(number(2))),
        "panic" => {
            let _guard = sent(number(2));
            panic!("main panics");
        }
        "exit" => {
            let _guard = sent(number(2));
            std::process::exit(3);
        }
        "forever" => forever(),
        "fork" => fork(number(2)),
        "starved" => starved(),
        "timers" => timers(),
        "twice" => twice(),
        "burst" => measured(|program| program.emit(number(2))),
        "large" => measured(|program| large(program, number(2))),
        "labels" => labels(number(2)),
        "paced" => paced(number(2), number(3)),
        "serve" => serve(),
        other => panic!("unknown: {other}"),
    }
}

fn install(on_signal: bool) -> Program {
    Program::around(
        hub_otel::Telemetry::builder()
            .shutdown_on_signal(on_signal)
            .install()
            .expect("valid settings"),
    )
}

fn sent(count: u64) -> Program {
    let mut program = install(false);
    program.emit(count);
    program
}

fn print(line: impl std::fmt::Display) {
    println!("{line}");
    let _parent_is_gone = std::io::stdout().flush();
}

fn signal(count: u64) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut program = install(false);
        let signal = hub_otel::shutdown_signal();
        tokio::pin!(signal);
        // Polled once, so that the handler is installed before the parent is notified.
        tokio::select! { biased; () = &mut signal => {}, () = std::future::ready(()) => {} }
        program.emit(count);
        print("ready");
        signal.await;
        let stopped = program.stop();
        print(format_args!("lost {}", stopped.report.lost()));
    });
}

fn park(mut program: Program, count: u64) {
    program.emit(count);
    print("ready");
    loop {
        std::thread::park();
    }
}

fn forever() {
    let mut program = install(false);
    let start = Instant::now();
    loop {
        program.emit(1);
        print(format_args!("ended {}", id(program.sent() - 1)));
        let due = start + Duration::from_millis(10 * program.sent());
        // Paces the load: nothing is awaited.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Forks. The child has a copy of the memory and no export thread: it must neither hang nor send.
fn fork(count: u64) {
    let mut program = install(false);
    program.emit(count);
    assert!(block_on(limited()).is_err(), "a timeout, whose timer the child inherits");
    match fork::fork().expect("a child") {
        fork::Fork::Child => {
            program.emit(1_000);
            // Units of the child run and return their values, and their timeouts apply.
            assert_eq!(unit(20), 42, "an annotated function");
            assert!(block_on(limited()).is_err(), "a timeout");
            // Calls that wait for the export thread return at once.
            assert_eq!(program.telemetry().flush_blocking(), hub_otel::Report::default());
            let _report = program.report();
            // Dropping the guard, as at the end of `main`, does not block either.
            drop(program);
            std::process::exit(0);
        }
        fork::Fork::Parent(child) => {
            let status = fork::waitpid(child).expect("the child's end");
            print(format_args!("child {status}"));
            program.emit(count);
            assert_eq!(unit(20), 42, "an annotated function");
            print(format_args!("lost {}", program.stop().report.lost()));
        }
    }
}

#[hub_otel::instrument_agent(id = "forked", action = "double")]
fn unit(number: u32) -> u32 {
    2 * number + 2
}

#[hub_otel::instrument_agent(id = "limited", action = "wait", timeout = Duration::from_millis(20))]
async fn limited() -> Result<(), hub_otel::TimedOut> {
    std::future::pending().await
}

/// Polls a future without a runtime, which a forked child cannot use.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) =
            future.as_mut().poll(&mut std::task::Context::from_waker(&waker))
        {
            return value;
        }
        std::thread::park();
    }
}

/// Times units out while no thread can be started, and afterwards.
fn timers() {
    let before = getrlimit(Resource::As);
    starve();
    assert!(block_on(limited()).is_err(), "without a thread");
    setrlimit(Resource::As, before).expect("the former limit");
    assert!(block_on(limited()).is_err(), "the start is tried again");
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc");
    let names: Vec<_> = tasks.filter_map(|task| name(task.ok()?).ok()).collect();
    assert!(names.iter().any(|name| name.trim() == "hub-otel-timer"), "{names:?}");
    print("timed out");
}

/// Limits the memory so that no further thread can be started, not even by root.
fn starved() {
    starve();
    match hub_otel::Telemetry::builder().build() {
        Ok(_) => print("started"),
        Err(error) => print(format_args!("error: {error}")),
    }
}

fn starve() {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("its size");
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    let most = Rlimit { current: Some(kib * 1024 + (1 << 20)), ..getrlimit(Resource::As) };
    setrlimit(Resource::As, most).expect("a lower limit");
    assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "a thread can still be started");
}

fn twice() {
    let first = hub_otel::Telemetry::builder().install().expect("valid settings");
    match hub_otel::Telemetry::builder().install() {
        Ok(_) => print("installed twice"),
        Err(error) => print(format_args!("error: {error}")),
    }
    let mut program = Program::around(first);
    program.emit(100);
    print(format_args!("lost {}", program.stop().report.lost()));
}

/// Prints the memory before `work` and its peak.
fn measured(work: impl FnOnce(&mut Program)) {
    let mut program = install(false);
    program.emit(10);
    print(format_args!("baseline {}", own_resident_bytes()));
    work(&mut program);
    let stopped = program.stop();
    print(format_args!("peak {}", own_peak_bytes()));
    print(format_args!("report {}", stopped.report));
}

fn large(program: &mut Program, count: u64) {
    for number in 0..count {
        let mut span = program.tracer().start(id(number));
        span.set_attribute(KeyValue::new("large", "x".repeat(1 << 20)));
        span.end();
    }
}

/// Records `sets` label sets on each of ten counters.
fn labels(sets: u64) {
    let telemetry = hub_otel::Telemetry::builder().install().expect("valid settings");
    let meter = hub_otel::otel::meter_provider(&telemetry).meter("labels");
    let counters: Vec<_> =
        (0..10).map(|number| meter.u64_counter(format!("labels.{number}")).build()).collect();
    counters.iter().for_each(|counter| counter.add(0, &[]));
    print(format_args!("baseline {}", own_resident_bytes()));
    for set in 0..sets {
        let label = [KeyValue::new("user", format!("user-{set}"))];
        counters.iter().for_each(|counter| counter.add(1, &label));
    }
    let address = telemetry.metrics_addr().expect("metrics are served");
    print(format_args!("metrics http://{address}/metrics"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(hub_otel::shutdown_signal());
    print(format_args!("peak {}", own_peak_bytes()));
    telemetry.shutdown_blocking();
}

/// Ends `rate` spans per second for `seconds`, with computation per span, and prints the processor
/// time. After a delay of the machine it catches up at twice the rate, not in one burst.
fn paced(rate: u64, seconds: u64) {
    let program = install(false);
    print(format_args!("baseline {}", own_resident_bytes()));
    let (start, total) = (Instant::now(), rate * seconds);
    let (mut ended, mut work) = (0, 0_u64);
    let before = clock_gettime(ClockId::ThreadCPUTime);
    while ended < total {
        let due = ((start.elapsed().as_secs_f64() * rate as f64) as u64)
            .min(total)
            .min(ended + rate / 500);
        while ended < due {
            let mut span = program.tracer().start("paced");
            for number in 0..2_000_u64 {
                work = work.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number);
            }
            span.set_attribute(KeyValue::new("work", i64::from(work as u32)));
            span.end();
            ended += 1;
        }
        // Paces the load: nothing is awaited.
        std::thread::sleep(Duration::from_millis(1));
    }
    let after = clock_gettime(ClockId::ThreadCPUTime);
    let micros =
        (after.tv_sec - before.tv_sec) * 1_000_000 + (after.tv_nsec - before.tv_nsec) / 1_000;
    print(format_args!("ended {total} in {:?}", start.elapsed()));
    print(format_args!("processor {micros}"));
    let stopped = program.stop();
    print(format_args!("peak {}", own_peak_bytes()));
    let traces = &stopped.report.traces;
    print(format_args!("traces {} {} {}", traces.finished, traces.ok, traces.lost()));
    print(format_args!("report {}", stopped.report));
}

/// Ends a span every ten milliseconds until SIGTERM.
fn serve() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut program = install(false);
        let address = program.telemetry().metrics_addr().expect("metrics are served");
        let mut every = tokio::time::interval(Duration::from_millis(10));
        let signal = hub_otel::shutdown_signal();
        tokio::pin!(signal);
        print(format_args!("metrics http://{address}/metrics"));
        loop {
            tokio::select! {
                () = &mut signal => break,
                _ = every.tick() => program.emit(1),
            }
        }
        let sent = program.sent();
        let stopped = program.stop();
        print(format_args!("sent {sent} lost {}", stopped.report.lost()));
    });
}
