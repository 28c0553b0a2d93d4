//! Two processes, one trace, one run.

use std::process::{Command, Stdio};

#[test]
fn the_agent_of_the_child_process_belongs_to_the_run_of_its_parent() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker-process"))
        .env("OTEL_TRACES_EXPORTER", "console")
        .env("OTEL_LOGS_EXPORTER", "none")
        .env("NO_COLOR", "1")
        .env("RUST_LOG", "info,hub_otel=debug")
        .env_remove("TRACEPARENT")
        .env_remove("BAGGAGE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("8 words"), "{out}\n{err}");
    assert!(err.contains("workflow.execute") && err.contains("agent.execute"), "{err}");
    let ids = |key: &str| {
        let id = |at: usize| {
            err[at + key.len()..]
                .chars()
                .take_while(|c| c.is_ascii_hexdigit() || *c == '-')
                .collect()
        };
        let mut ids: Vec<String> = err.match_indices(key).map(|(at, _)| id(at)).collect();
        ids.dedup();
        ids
    };
    // Each process prints its part of the trace and logs the run of its unit.
    assert_eq!(ids("trace ").len(), 1, "{err}");
    let child = err.lines().find(|line| line.contains("agent.run.started")).unwrap_or_default();
    assert!(child.contains("workflow.run.id="), "{err}");
    assert_eq!(ids("workflow.run.id=\"").len(), 1, "{err}");
}
