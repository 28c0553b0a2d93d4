//! Shutdown: no ended span and no accepted run is lost, and an absent Collector does not delay it.

use crate::server::{Server, TIMEOUT, folder, serve};
use hub_otel::semconv::{attribute as a, span};
use hub_otel_tests::ports::Closed;
use hub_otel_tests::receiver::{Receiver, text};
use serde_json::json;
use std::time::Duration;

/// Triggers a long run, sends SIGTERM at once, starts the server again. Returns the run.
fn terminated(drain: &str) -> (Receiver, String) {
    let receiver = Receiver::start();
    let folder = folder();
    let server =
        Server::start(serve(folder.path(), &receiver.endpoint()).args(["--drain-timeout", drain]));
    let (run, _) =
        server.trigger("scan-and-notify", &json!({ "repository": ".", "hold_ms": 1500 }));
    let output = server.stop(TIMEOUT);
    // The first process has exported all ended spans.
    assert!(output.contains("[OpenTelemetry] Shutdown complete"), "{output}");
    let server = Server::start(&mut serve(folder.path(), &receiver.endpoint()));
    let view = server.ended(&run);
    assert_eq!(view["status"], "SUCCESS", "{view}");
    let output = server.stop(TIMEOUT);
    assert!(output.contains("[OpenTelemetry] Shutdown complete"), "{output}");
    (receiver, run)
}

/// Status of the segments of `run`, in order.
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
fn a_run_triggered_before_sigterm_completes() {
    let (receiver, run) = terminated("20s");
    assert_eq!(segments(&receiver, &run), ["SUCCESS"]);
}

#[test]
fn a_run_that_exceeds_the_drain_timeout_continues_at_the_next_start() {
    let (receiver, run) = terminated("0s");
    let segments = segments(&receiver, &run);
    // The first segment was suspended, unless the signal arrived before its start.
    assert!(segments == ["SUSPENDED", "SUCCESS"] || segments == ["SUCCESS"], "{segments:?}");
}

#[test]
fn an_idle_server_exits_within_six_seconds_without_a_collector() {
    let closed = Closed::new();
    let folder = folder();
    let server = Server::start(&mut serve(folder.path(), &closed.endpoint()));
    let (run, _) = server.trigger("scan-and-notify", &json!({ "repository": "." }));
    assert_eq!(server.ended(&run)["status"], "SUCCESS");
    let output = server.stop(Duration::from_secs(6));
    // One message about the loss.
    let missing = format!("no Collector at {}", closed.endpoint());
    assert_eq!(output.matches(&missing).count(), 1, "{output}");
    assert!(output.contains("[OpenTelemetry] Shutdown error"), "{output}");
}
