//! Exported spans of logfire: the cells of the table in docs/frameworks.md.

use std::process::Command;

#[test]
fn logfire_exports_what_the_table_has() {
    let program = env!("CARGO_BIN_EXE_compare-logfire");
    let output = Command::new(program).env_clear().output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(printed, include_str!("../by-logfire.txt"));
}
