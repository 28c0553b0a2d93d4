//! The `orchestrator` command: see [`orchestrator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::main()
}
