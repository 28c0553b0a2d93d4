//! Like with like: what is measured side by side delivers the same spans and the same series.
//!
//! One process for each scenario, because a subscriber and an installed SDK are global. Nothing is excepted: what
//! tracing-opentelemetry adds by itself (code location, threads, target, level, busy and idle times) is switched off where
//! it is set up, in by_tracing.rs.

use std::process::Command;

/// What three units of the scenario deliver.
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
fn the_three_sides_deliver_the_same() {
    for (scenario, spans, series) in
        [("workflow", 3, 5), ("workflow.error", 3, 6), ("agent", 3, 4), ("agent.error", 3, 5)]
    {
        let ours = emit(&format!("hub.{scenario}"));
        assert_eq!(ours.matches("hub_otel: span").count(), spans, "{ours}");
        assert_eq!(metrics(&ours).len(), series, "{ours}");
        for peer in ["hand", "tracing"] {
            let theirs = emit(&format!("{peer}.{scenario}"));
            assert_eq!(theirs, ours, "{peer}.{scenario} delivers something else");
        }
    }
}

#[test]
fn a_subscriber_beside_it_changes_nothing_that_is_delivered() {
    assert_eq!(emit("hub.workflow.subscriber"), emit("hub.workflow"));
}

#[test]
fn without_spans_the_numbers_are_the_same() {
    for kind in ["workflow", "agent"] {
        let (sampled, unsampled) =
            (emit(&format!("hub.{kind}")), emit(&format!("hub.{kind}.unsampled")));
        assert!(!unsampled.contains("span"), "{unsampled}");
        assert_eq!(metrics(&unsampled), metrics(&sampled));
    }
}

#[test]
fn run_time_labels_make_a_series_each_and_the_same_spans_otherwise() {
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
fn what_is_disabled_delivers_nothing() {
    assert_eq!(emit("hub.workflow.disabled"), "");
}
