//! Ends of a process, and the items that arrive.

use crate::support::{bar, each, figure};
use hub_otel_tests::poll;
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::program::{Transport, id, settings};
use hub_otel_tests::receiver::{Account, Receiver, Signal};
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

const ITEMS: u64 = 500;
const LONG: Duration = Duration::from_secs(60);

/// Starts the fault program.
pub(crate) fn start(
    what: &str,
    endpoint: &str,
    transport: Transport,
    arguments: &[&str],
) -> Process {
    start_with(what, endpoint, transport, arguments, &[])
}

/// Starts the fault program with additional variables.
pub(crate) fn start_with(
    what: &str,
    endpoint: &str,
    transport: Transport,
    arguments: &[&str],
    more: &[(&str, &str)],
) -> Process {
    let mut command = command(env!("CARGO_BIN_EXE_fault"));
    command
        .arg(what)
        .args(arguments)
        .envs(settings(endpoint, transport))
        .envs(more.iter().copied());
    Process::spawn(&mut command)
}

/// The number after `key` in what it printed.
#[track_caller]
pub(crate) fn printed(child: &Process, key: &str) -> u64 {
    let text = child.stdout();
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.trim().split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {key:?} in {text}\n{}", child.stderr()))
}

/// Waits for the end. Returns the growth of its memory in bytes.
#[track_caller]
pub(crate) fn growth(child: &mut Process) -> u64 {
    let status = child.exit(Duration::from_secs(300));
    assert!(status.success(), "{status}\n{}", child.stderr());
    printed(child, "peak").saturating_sub(printed(child, "baseline"))
}

/// Compares the received items with the `count` sent ones.
fn account(receiver: &Receiver, signal: Signal, count: u64) -> Account {
    receiver.account(signal, (0..count).map(id))
}

#[track_caller]
fn assert_all_there(receiver: &Receiver, count: u64) {
    for signal in [Signal::Traces, Signal::Logs] {
        assert_eq!(account(receiver, signal, count), Account::default(), "{signal:?}");
    }
    assert_eq!(receiver.latest_sum(hub_otel_tests::program::COUNTER), count as f64);
}

/// Schedules so slow that what is delivered is delivered by the end of the process.
const LAZY: &[(&str, &str)] = &[
    ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "60000"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "600000"),
];

#[test]
fn a_process_that_shuts_down_on_a_signal_loses_nothing() {
    each(
        Transport::ALL
            .iter()
            .flat_map(|transport| ["TERM", "INT"].map(|signal| (*transport, signal))),
        |case| {
            let (transport, signal) = case;
            let receiver = Receiver::start();
            let mut child = start_with("signal", &receiver.endpoint(), transport, &["500"], LAZY);
            child.line(LONG, "ready");
            if signal == "TERM" {
                child.terminate()
            } else {
                child.interrupt()
            }
            assert!(child.exit(LONG).success(), "{}", child.stderr());
            assert_eq!(printed(&child, "lost"), 0);
            assert_all_there(&receiver, ITEMS);
            assert!(
                child.stderr().contains("[OpenTelemetry] Shutdown complete"),
                "{}",
                child.stderr()
            );
        },
    );
}

#[test]
fn shutdown_on_signal_loses_nothing_and_ends_by_the_signal() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        let mut child = start_with("handler", &receiver.endpoint(), transport, &["500"], LAZY);
        child.line(LONG, "ready");
        child.terminate();
        assert_eq!(child.exit(LONG).signal(), Some(15), "{}", child.stderr());
        assert_all_there(&receiver, ITEMS);
    });
}

#[test]
fn a_dropped_guard_loses_nothing() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        let mut child = start_with("drop", &receiver.endpoint(), transport, &["500"], LAZY);
        assert!(child.exit(LONG).success(), "{}", child.stderr());
        assert_all_there(&receiver, ITEMS);
    });
}

#[test]
fn a_panic_in_main_loses_nothing_and_stays_a_panic() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        let mut child = start_with("panic", &receiver.endpoint(), transport, &["500"], LAZY);
        assert_eq!(child.exit(LONG).code(), Some(101), "{}", child.stderr());
        assert!(child.stderr().contains("main panics"), "{}", child.stderr());
        assert_all_there(&receiver, ITEMS);
    });
}

#[test]
fn process_exit_ends_at_once_and_its_loss_is_documented() {
    let receiver = Receiver::start();
    let mut child = start_with("exit", &receiver.endpoint(), Transport::Grpc, &["500"], LAZY);
    assert_eq!(child.exit(LONG).code(), Some(3), "{}", child.stderr());
    let missing = account(&receiver, Signal::Traces, ITEMS).missing.len();
    figure("process::exit with the guard alive", format!("{missing} of {ITEMS} spans lost"));
    let documented = include_str!("../../docs/reliability.md");
    assert!(documented.contains("`process::exit`"));
}

/// Returns the mask of the signals with a handler.
fn handled(child: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
    u64::from_str_radix(mask.trim(), 16).expect("hexadecimal")
}

#[test]
fn no_signal_is_caught_without_a_request() {
    const TERM_AND_INT: u64 = 1 << 14 | 1 << 1;
    let receiver = Receiver::start();
    let run = |what| {
        let child = start(what, &receiver.endpoint(), Transport::Grpc, &["1"]);
        child.line(LONG, "ready");
        child
    };
    let mut plain = run("plain");
    assert_eq!(handled(&plain) & TERM_AND_INT, 0);
    plain.terminate();
    assert_eq!(plain.exit(LONG).signal(), Some(15));
    assert_eq!(handled(&run("signal")) & TERM_AND_INT, TERM_AND_INT);
    assert_eq!(handled(&run("handler")) & TERM_AND_INT, TERM_AND_INT);
}

#[test]
fn a_kill_loses_no_more_than_a_second_and_a_batch() {
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::start();
        // The default schedule.
        let delays = [("OTEL_BSP_SCHEDULE_DELAY", "1000"), ("OTEL_BLRP_SCHEDULE_DELAY", "1000")];
        let mut child = start_with("forever", &receiver.endpoint(), transport, &[], &delays);
        child.line(LONG, &format!("ended {}", id(330)));
        child.kill();
        assert_eq!(child.exit(LONG).signal(), Some(9));
        let ended: Vec<_> = child
            .stdout()
            .lines()
            .filter_map(|line| line.strip_prefix("ended ").map(str::to_owned))
            .collect();
        // Requests in flight at the kill may still arrive.
        poll::until(LONG, || receiver.stored(Signal::Traces) > 0);
        let (mut missing, mut settled) = (usize::MAX, 0);
        poll::until(LONG, || {
            let now = receiver.account(Signal::Traces, ended.clone()).missing.len();
            settled = if now == missing { settled + 1 } else { 0 };
            missing = now;
            settled > 20
        });
        let (second, batch) = (100 * bar(Duration::from_secs(1)).as_secs() as usize, 100);
        figure(
            &format!("SIGKILL at 100 spans/s, {transport:?}"),
            format!("{missing} of {} lost", ended.len()),
        );
        assert!(missing <= second + batch, "{missing} of {}", ended.len());
    });
}

#[test]
fn a_forked_child_neither_hangs_nor_sends() {
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::start();
        let mut child = start("fork", &receiver.endpoint(), transport, &["500"]);
        assert!(child.exit(LONG).success(), "{}", child.stderr());
        assert_eq!(printed(&child, "child"), 0, "{}", child.stderr());
        assert_eq!(printed(&child, "lost"), 0);
        // The numbers of the child's items start with the parent's second half: if sent, they would
        // be duplicates or unexpected. The same applies to the spans and records of its units.
        let of_unit = |name: &str| name == "agent.execute" || !name.starts_with("item-");
        let spans = receiver.spans();
        assert_eq!(spans.iter().filter(|span| of_unit(&span.name)).count(), 2);
        let own: Vec<_> =
            spans.iter().map(|span| span.name.clone()).filter(|name| !of_unit(name)).collect();
        assert_eq!(own.len() as u64, 2 * ITEMS);
        assert_eq!(
            own.into_iter().collect::<std::collections::HashSet<_>>().len() as u64,
            2 * ITEMS
        );
        let logs = account(&receiver, Signal::Logs, 2 * ITEMS);
        assert_eq!((logs.missing.len(), logs.duplicates), (0, 0), "{logs:?}");
        assert_eq!(receiver.latest_sum(hub_otel_tests::program::COUNTER), 2.0 * ITEMS as f64);
        assert_eq!(receiver.latest_sum("agent.runs.total"), 2.0);
    });
}

#[test]
fn a_process_out_of_threads_gets_an_error_and_no_panic() {
    let receiver = Receiver::start();
    let mut child = start("starved", &receiver.endpoint(), Transport::Grpc, &[]);
    let status = child.exit(LONG);
    assert!(status.success(), "{status}\n{}", child.stderr());
    assert!(child.stdout().contains("error: "), "{}{}", child.stdout(), child.stderr());
    assert!(!child.stderr().contains("panicked"), "{}", child.stderr());
    figure("no threads left at init", child.stdout().trim());
}

#[test]
fn a_timeout_applies_although_its_thread_could_not_be_started() {
    let receiver = Receiver::start();
    let mut child = start("timers", &receiver.endpoint(), Transport::Grpc, &[]);
    let status = child.exit(LONG);
    assert!(status.success(), "{status}\n{}", child.stderr());
    assert!(child.stdout().contains("timed out"), "{}{}", child.stdout(), child.stderr());
}

#[test]
fn a_second_install_is_an_error_and_the_first_continues() {
    let receiver = Receiver::start();
    let mut child = start("twice", &receiver.endpoint(), Transport::Grpc, &[]);
    assert!(child.exit(LONG).success(), "{}", child.stderr());
    assert!(child.stdout().contains("error: "), "{}", child.stdout());
    assert_eq!(printed(&child, "lost"), 0);
    assert_all_there(&receiver, 100);
}
