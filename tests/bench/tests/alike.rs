//! Equality of the telemetry of the compared scenarios: the same spans and the same series.
//!
//! Each scenario runs in its own process, because a subscriber and an installed SDK are global.
//! The attributes that tracing-opentelemetry adds by default (code location, threads, target,
//! level, busy and idle times) are disabled in by_tracing.rs.

use std::process::Command;

/// Returns the telemetry that three units of the scenario emit.
fn emit(name: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hub-otel-bench"))
        .args(["emit", name, "3"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn metrics(emitted: &str) -> Vec<&str> {
    emitted.lines().filter(|line| line.starts_with("hub_otel: metric")).collect()
}

#[test]
fn the_three_implementations_emit_the_same_telemetry() {
    for (scenario, spans, series) in
        [("workflow", 3, 5), ("workflow.error", 3, 6), ("agent", 3, 4), ("agent.error", 3, 5)]
    {
        let ours = emit(&format!("hub.{scenario}"));
        assert_eq!(ours.matches("hub_otel: span").count(), spans, "{ours}");
        assert_eq!(metrics(&ours).len(), series, "{ours}");
        for peer in ["hand", "tracing"] {
            let theirs = emit(&format!("{peer}.{scenario}"));
            assert_eq!(theirs, ours, "{peer}.{scenario} emits different telemetry");
        }
    }
}

#[test]
fn an_installed_subscriber_does_not_change_the_emitted_telemetry() {
    assert_eq!(emit("hub.workflow.subscriber"), emit("hub.workflow"));
}

#[test]
fn metrics_do_not_depend_on_sampling() {
    for kind in ["workflow", "agent"] {
        let (sampled, unsampled) =
            (emit(&format!("hub.{kind}")), emit(&format!("hub.{kind}.unsampled")));
        assert!(!unsampled.contains("span"), "{unsampled}");
        assert_eq!(metrics(&unsampled), metrics(&sampled));
    }
}

#[test]
fn each_run_time_label_value_has_its_own_series_and_spans_are_unchanged() {
    for kind in ["workflow", "agent"] {
        let (literal, ids) = (emit(&format!("hub.{kind}")), emit(&format!("hub.{kind}.labels")));
        let spans =
            |emitted: &str| emitted.split("hub_otel: metric").next().map(str::to_owned).unwrap();
        let named = spans(&ids).replace("\"one\"", "\"bench\"").replace("\"two\"", "\"bench\"");
        assert_eq!(named.replace("\"three\"", "\"bench\""), spans(&literal));
        assert_eq!(metrics(&ids).len(), 3 * metrics(&literal).len());
    }
}

#[test]
fn a_disabled_unit_emits_no_telemetry() {
    assert_eq!(emit("hub.workflow.disabled"), "");
}
