//! Checks of the committed files with promtool and compose-spec. `observability/tools/build` builds
//! the programs in `.tools/bin`; `just stack-check` builds them and runs these tests.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod alertmanager;
mod balancer;
mod compose;
#[path = "../support/copied.rs"]
mod copied;
mod kubernetes;
mod mutations;
mod promtool;
mod pruned;
mod runbooks;

use std::path::Path;
use std::process::{Command, Output};
use xtask::files::root;

/// Runs a tool in a folder.
fn tool(name: &str, arguments: &[&str], folder: &Path, environment: &[(&str, &str)]) -> Output {
    let program = root().join(".tools/bin").join(name);
    Command::new(&program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap_or_else(|error| {
            panic!("{}: {error}; run observability/tools/build", program.display())
        })
}

/// Standard output and standard error of a tool.
fn text_of(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
