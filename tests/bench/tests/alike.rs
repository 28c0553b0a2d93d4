//! Equality of the telemetry of the compared scenarios: the receiver gets the same spans and the
//! scraper the same series.
//!
//! The attributes that tracing-opentelemetry adds by default (code location, threads, target,
//! level, busy and idle times) are disabled in by_tracing.rs. The attributes of fastrace are
//! strings: its spans are compared by number only.

use hub_otel_bench::measure;
use std::path::Path;

const METRICS: [&str; 8] = [
    "workflow_runs_total",
    "workflow_errors_total",
    "workflow_duration_milliseconds",
    "workflows_active",
    "agent_runs_total",
    "agent_errors_total",
    "agent_duration_milliseconds",
    "agent_retries_total",
];

/// Returns the telemetry of three units: spans as text, series as sorted lines.
fn emit(name: &str) -> (String, Vec<String>) {
    let program = if name.starts_with("fastrace.") {
        env!("CARGO_BIN_EXE_fastrace")
    } else {
        env!("CARGO_BIN_EXE_hub-otel-bench")
    };
    let (totals, metrics) = measure::emit(Path::new(program), name, 3);
    let mut series: Vec<_> = metrics.lines().filter_map(normalise).collect();
    series.sort();
    (totals.text, series)
}

/// Returns a sample without the labels of the target and the scope. `None` for other lines, and for
/// sums and buckets, which depend on the time that a unit took.
fn normalise(line: &str) -> Option<String> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{')?;
    let family = name.trim_end_matches("_count");
    if !METRICS.contains(&family) {
        return None;
    }
    let mut labels: Vec<_> = labels
        .trim_end_matches('}')
        .split(',')
        .filter(|label| !label.starts_with("otel_scope") && !label.starts_with("service_name"))
        .collect();
    labels.sort_unstable();
    Some(format!("{name}{{{}}} {value}", labels.join(",")))
}

/// Returns the series that are not zero: a bound instrument is exported before its first value.
fn recorded(mut series: Vec<String>) -> Vec<String> {
    series.retain(|line| !line.ends_with(" 0"));
    series
}

#[test]
fn the_compared_implementations_deliver_the_same_telemetry() {
    for (scenario, series) in
        [("workflow", 5), ("workflow.error", 6), ("agent", 4), ("agent.error", 5)]
    {
        let ours = emit(&format!("hub.{scenario}"));
        assert_eq!(ours.0.matches("span ").count(), 3, "{}", ours.0);
        assert_eq!(ours.1.len(), series, "{:#?}", ours.1);
        for peer in ["hand", "tracing"] {
            let theirs = emit(&format!("{peer}.{scenario}"));
            assert_eq!(theirs.0, ours.0, "{peer}.{scenario}");
            assert_eq!(theirs.1, ours.1, "{peer}.{scenario}");
        }
        let bound = emit(&format!("bound.{scenario}"));
        assert_eq!(bound.0, ours.0, "bound.{scenario}");
        assert_eq!(recorded(bound.1), recorded(ours.1.clone()), "bound.{scenario}");
        assert_eq!(emit(&format!("fastrace.{scenario}")).1, ours.1, "fastrace.{scenario}");
    }
}

#[test]
fn nested_units_are_delivered_alike() {
    let (ours, theirs) = (emit("hub.nested"), emit("hand.nested"));
    assert_eq!(theirs.0, ours.0);
    assert_eq!(recorded(theirs.1), recorded(ours.1));
}

#[test]
fn spans_of_other_libraries_are_delivered_alike() {
    let (ours, theirs) = (emit("hub.foreign"), emit("tracing.foreign"));
    assert_eq!(ours.0.matches("span ").count(), 3, "{}", ours.0);
    assert_eq!(theirs.0, ours.0);
    assert_eq!(emit("hub.layer.foreign").0, ours.0);
}

#[test]
fn metrics_do_not_depend_on_sampling() {
    for kind in ["workflow", "agent"] {
        let sampled = emit(&format!("hub.{kind}"));
        let unsampled = emit(&format!("hub.{kind}.unsampled"));
        assert_eq!(unsampled, (String::new(), sampled.1));
        assert_eq!(unsampled, emit(&format!("hand.{kind}.unsampled")));
    }
}

#[test]
fn the_scenarios_of_gen_ai_deliver_its_attributes() {
    for (name, attributes) in [
        ("hub.workflow.gen_ai", ["invoke_workflow", "gen_ai.workflow.name"]),
        ("hub.agent.gen_ai", ["invoke_agent", "gen_ai.agent.name"]),
        ("hub.llm", ["gen_ai.usage.input_tokens", "gen_ai.usage.cost"]),
    ] {
        let (spans, _) = emit(name);
        for attribute in attributes {
            assert_eq!(spans.matches(attribute).count(), 3, "{attribute} in {spans}");
        }
    }
    assert!(!emit("hub.agent").0.contains("gen_ai"));
}

#[test]
fn a_disabled_unit_emits_no_telemetry() {
    assert_eq!(emit("hub.workflow.disabled"), (String::new(), Vec::new()));
}
