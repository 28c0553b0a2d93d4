//! Exported spans of each pipeline: the cells of the table in docs/frameworks.md.

use std::process::Command;

fn printed(program: &str) -> String {
    let output = Command::new(program).env_clear().output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn hub_otel_exports_what_the_table_has() {
    assert_eq!(printed(env!("CARGO_BIN_EXE_by-hub")), include_str!("../by-hub.txt"));
}

#[test]
fn tracing_opentelemetry_alone_exports_what_the_table_has() {
    assert_eq!(printed(env!("CARGO_BIN_EXE_by-tracing")), include_str!("../by-tracing.txt"));
}
