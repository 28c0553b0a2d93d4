//! The same faults with the plain SDK (`tests/sdk_baseline`): the last column of
//! `docs/reliability.md`. Run by `just faults-baseline`, which builds the program. Only prints
//! figures: the SDK has no bars to check.

use hub_otel_tests::ports::{BlackHole, Closed};
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::{Behaviour, Receiver, Signal};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(300);

fn start(endpoint: &str, transport: &str, arguments: &[&str]) -> Process {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/bare/target/release/hub-otel-sdk-baseline");
    let mut command = command(program);
    let protocol = if transport == "grpc" { "grpc" } else { "http/protobuf" };
    command.arg(transport).args(arguments);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    Process::spawn(&mut command)
}

/// Returns the remainder of the printed line that begins with `key`.
fn printed(child: &Process, key: &str) -> String {
    let text = child.stdout();
    text.lines()
        .rfind(|line| line.starts_with(key))
        .map_or("–".to_owned(), |line| line[key.len()..].trim().to_owned())
}

fn mib(child: &Process) -> String {
    let bytes = |key| printed(child, key).parse::<u64>().unwrap_or_default();
    format!("RSS +{} MiB", bytes("peak").saturating_sub(bytes("baseline")) >> 20)
}

/// Describes the number of missing items and of duplicates.
fn missing(receiver: &Receiver, signal: Signal, count: u64) -> String {
    let account = receiver.account(signal, (0..count).map(hub_otel_tests::program::id));
    format!("{} of {count} lost, {} doubled", account.missing.len(), account.duplicates)
}

fn row(name: &str, run: impl Fn(&'static str) -> String) {
    for transport in ["grpc", "http"] {
        println!("| bare: {name}, {transport} | {} |", run(transport));
    }
}

/// Sends 300 items and shuts down.
fn burst(endpoint: &str, transport: &str) -> (Process, String) {
    let mut child = start(endpoint, transport, &["burst", "300"]);
    child.exit(LONG);
    let answer = format!("shutdown {}", printed(&child, "shutdown"));
    (child, answer)
}

#[test]
#[ignore = "just faults-baseline"]
fn no_collector() {
    row("closed port", |transport| burst(&Closed::new().endpoint(), transport).1);
    row("DNS failure", |transport| burst("http://collector.invalid:4317", transport).1);
    row("black hole", |transport| burst(&BlackHole::new().endpoint(), transport).1);
    row("black hole: span.end() p99.9", |transport| {
        let hole = BlackHole::new();
        let mut child = start(&hole.endpoint(), transport, &["ends"]);
        child.exit(LONG);
        printed(&child, "p999")
    });
}

#[test]
#[ignore = "just faults-baseline"]
fn replies() {
    let refusals = |transport: &str, status: u16| match transport {
        "grpc" => Behaviour::code(hub_otel_tests::receiver::Code::Unavailable),
        _ => Behaviour::status(status),
    };
    row("70 % refused", |transport| {
        let receiver = Receiver::start();
        let mut number = 0_u16;
        let is_grpc = transport == "grpc";
        receiver.decide(move |_| {
            number += 1;
            let refused = number * 7 % 10 < 7;
            if refused {
                refusals(if is_grpc { "grpc" } else { "http" }, 503)
            } else {
                Behaviour::Accept
            }
        });
        let mut child = start(&receiver.endpoint(), transport, &["burst", "3000"]);
        child.exit(LONG);
        format!(
            "{}; shutdown {}",
            missing(&receiver, Signal::Traces, 3_010),
            printed(&child, "shutdown")
        )
    });
    for (name, behaviour) in [
        ("reset before the reply, 3 times", Behaviour::ResetBeforeReply),
        ("reset after the reply, 3 times", Behaviour::ResetAfterReply),
        ("half-open, 3 times", Behaviour::HalfReply),
    ] {
        row(name, |transport| {
            let receiver = Receiver::start();
            for signal in Signal::ALL {
                receiver.script(signal, vec![behaviour.clone(); 3]);
            }
            let mut child = start(&receiver.endpoint(), transport, &["steady", "100", "20000"]);
            child.exit(LONG);
            let sent = printed(&child, "ended").parse().unwrap_or_default();
            missing(&receiver, Signal::Traces, sent)
        });
    }
    for (name, behaviour) in [
        ("400", Behaviour::Http { status: 400, retry_after: None }),
        ("partial success of 7", Behaviour::Partial { rejected: 7, message: "seven too many" }),
        ("1 byte a second", Behaviour::Drip),
        ("reply of 10 MiB", Behaviour::Huge(10 << 20)),
        ("gzip bomb of 64 MiB", Behaviour::Bomb(64 << 20)),
        ("Retry-After 3600 s", Behaviour::retry_after(503, "3600")),
    ] {
        row(name, |transport| {
            let receiver = Receiver::start();
            receiver.always(behaviour.clone());
            let (child, answer) = burst(&receiver.endpoint(), transport);
            format!("{} attempts; {answer}; {}", receiver.attempts(Signal::Traces), mib(&child))
        });
    }
}

#[test]
#[ignore = "just faults-baseline"]
fn outages() {
    for seconds in [2, 10, 30, 120] {
        row(&format!("outage of {seconds} s at 100 spans/s"), |transport| {
            let receiver = Receiver::start();
            let time = ((seconds + 20) * 1_000).to_string();
            let mut child = start(&receiver.endpoint(), transport, &["steady", "100", &time]);
            // From its fifth second, counted by its finished spans.
            let begin = Instant::now();
            hub_otel_tests::poll::until(LONG, || begin.elapsed() > Duration::from_secs(5));
            receiver.stop();
            hub_otel_tests::poll::until(LONG, || {
                begin.elapsed() > Duration::from_secs(5 + seconds)
            });
            receiver.resume();
            child.exit(LONG);
            let sent = printed(&child, "ended").parse().unwrap_or_default();
            missing(&receiver, Signal::Traces, sent)
        });
    }
}

#[test]
#[ignore = "just faults-baseline"]
fn endings() {
    row("process::exit", |transport| {
        let receiver = Receiver::start();
        start(&receiver.endpoint(), transport, &["exit", "500"]).exit(LONG);
        missing(&receiver, Signal::Traces, 510)
    });
    row("providers dropped", |transport| {
        let receiver = Receiver::start();
        start(&receiver.endpoint(), transport, &["drop", "500"]).exit(LONG);
        missing(&receiver, Signal::Traces, 510)
    });
    row("SIGKILL at 100 spans/s", |transport| {
        let receiver = Receiver::start();
        let mut child = start(&receiver.endpoint(), transport, &["forever", "100"]);
        child.line(LONG, "ended 34");
        hub_otel_tests::poll::until(LONG, || {
            printed(&child, "ended").parse::<u64>().is_ok_and(|ended| ended > 900)
        });
        child.kill();
        child.exit(LONG);
        let sent = printed(&child, "ended").parse().unwrap_or_default();
        missing(&receiver, Signal::Traces, sent)
    });
    row("shutdown inside a current-thread runtime", |transport| {
        let receiver = Receiver::start();
        let mut child = start(&receiver.endpoint(), transport, &["current-thread", "300"]);
        child.exit(LONG);
        format!(
            "{}; shutdown {}",
            missing(&receiver, Signal::Traces, 300),
            printed(&child, "shutdown")
        )
    });
}

#[test]
#[ignore = "just faults-baseline"]
fn amounts() {
    row("10,000 × 1 MiB attributes, black hole", |transport| {
        let hole = BlackHole::new();
        let mut child = start(&hole.endpoint(), transport, &["large", "10000"]);
        child.exit(LONG);
        mib(&child)
    });
    for (rate, seconds, delay) in [(20_000_u64, 20_u64, 100), (50_000, 20, 0)] {
        row(
            &format!("{rate} spans/s for {seconds} s into a receiver of {delay} ms"),
            |transport| {
                let receiver = Receiver::counting();
                if delay > 0 {
                    receiver.always(Behaviour::AcceptAfter(Duration::from_millis(delay)));
                }
                let mut child = start(
                    &receiver.endpoint(),
                    transport,
                    &["paced", &rate.to_string(), &seconds.to_string()],
                );
                child.exit(LONG);
                let (sent, arrived) = (rate * seconds + 10, receiver.distinct_spans() as u64);
                format!("{} of {sent} lost; {}", sent - arrived, mib(&child))
            },
        );
    }
}
