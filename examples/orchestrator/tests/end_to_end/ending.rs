//! The end of the process: nothing that ended is lost, nothing that was accepted is forgotten, and nobody is waited for
//! who is not there.

use crate::server::{LONG, Server, folder, serve};
use hub_otel::semconv::{attribute as a, span};
use hub_otel_tests::ports::Closed;
use hub_otel_tests::receiver::{Receiver, text};
use serde_json::json;
use std::time::Duration;

/// Triggers a run that takes a while, sends SIGTERM at once, starts again: what became of the run?
fn terminated(drain: &str) -> (Receiver, String) {
    let receiver = Receiver::start();
    let folder = folder();
    let server =
        Server::start(serve(folder.path(), &receiver.endpoint()).args(["--drain-timeout", drain]));
    let (run, _) =
        server.trigger("scan-and-notify", &json!({ "repository": ".", "hold_ms": 1500 }));
    let said = server.stop(LONG);
    // The books of the first process balance: what ended was delivered.
    assert!(said.contains("[OpenTelemetry] Shutdown complete"), "{said}");
    let server = Server::start(&mut serve(folder.path(), &receiver.endpoint()));
    let view = server.ended(&run);
    assert_eq!(view["status"], "SUCCESS", "{view}");
    let said = server.stop(LONG);
    assert!(said.contains("[OpenTelemetry] Shutdown complete"), "{said}");
    (receiver, run)
}

/// How the segments of `run` ended, in order.
fn segments(receiver: &Receiver, run: &str) -> Vec<String> {
    let mut spans: Vec<_> = receiver
        .spans()
        .into_iter()
        .filter(|found| {
            found.name == span::WORKFLOW_EXECUTE
                && text(&found.attributes, a::WORKFLOW_RUN_ID) == Some(run)
        })
        .collect();
    spans.sort_by_key(|span| span.end_time_unix_nano);
    spans
        .iter()
        .map(|span| text(&span.attributes, a::WORKFLOW_STATUS).unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn sigterm_right_after_a_trigger_lets_the_run_end() {
    let (receiver, run) = terminated("20s");
    assert_eq!(segments(&receiver, &run), ["SUCCESS"]);
}

#[test]
fn sigterm_without_time_to_drain_hands_the_run_to_the_next_start() {
    let (receiver, run) = terminated("0s");
    let segments = segments(&receiver, &run);
    // The first segment was suspended, unless the signal came before it began.
    assert!(segments == ["SUSPENDED", "SUCCESS"] || segments == ["SUCCESS"], "{segments:?}");
}

#[test]
fn an_idle_server_is_gone_within_six_seconds_without_a_collector() {
    let closed = Closed::new();
    let folder = folder();
    let server = Server::start(&mut serve(folder.path(), &closed.endpoint()));
    let (run, _) = server.trigger("scan-and-notify", &json!({ "repository": "." }));
    assert_eq!(server.ended(&run)["status"], "SUCCESS");
    let said = server.stop(Duration::from_secs(6));
    // It says so once, and that something was lost.
    let missing = format!("no Collector at {}", closed.endpoint());
    assert_eq!(said.matches(&missing).count(), 1, "{said}");
    assert!(said.contains("[OpenTelemetry] Shutdown error"), "{said}");
}
