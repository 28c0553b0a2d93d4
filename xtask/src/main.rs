//! Writes what is generated from the contract, and says when a committed file has drifted from it.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use xtask::{docs, figures, files, stack};

/// Generated files of the repository: the telemetry reference, dashboards, rules.
#[derive(Parser)]
#[command(name = "cargo run -p xtask --")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// docs/telemetry.md.
    Docs {
        /// Write nothing; exit 1 when the committed file differs.
        #[arg(long)]
        check: bool,
    },
    /// The dashboards and rules below observability/.
    Stack {
        /// Write nothing; exit 1 when a committed file differs.
        #[arg(long)]
        check: bool,
    },
    /// Figures of the library's source, printed.
    Figures,
}

fn main() -> ExitCode {
    let (generated, check) = match Arguments::parse().verb {
        Verb::Docs { check } => (docs::files(), check),
        Verb::Stack { check } => (stack::files(), check),
        Verb::Figures => return print_figures(),
    };
    let root = files::root();
    let result =
        if check { files::check(&root, &generated) } else { files::write(&root, &generated) };
    match result {
        Ok(report) => {
            eprintln!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
fn print_figures() -> ExitCode {
    match figures::Figures::read() {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("xtask: cannot read the sources: {error}");
            ExitCode::FAILURE
        }
    }
}
