//! Command line: writes the generated files, or reports committed files that differ from them.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use xtask::{api, docs, figures, files, stack};

/// Generated files of the repository: the telemetry reference, dashboards, rules.
#[derive(Parser)]
#[command(name = "cargo run -p xtask --")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Generates docs/telemetry.md.
    Docs {
        /// Writes nothing; exits with 1 if the committed file differs.
        #[arg(long)]
        check: bool,
    },
    /// Generates the dashboards and rules in observability/.
    Stack {
        /// Writes nothing; exits with 1 if a committed file differs.
        #[arg(long)]
        check: bool,
    },
    /// Prints figures of the library's source.
    Figures,
    /// The public API: its difference from api/hub-otel.txt, and types of 0.x dependencies in it.
    Api {
        /// Writes api/hub-otel.txt.
        #[arg(long)]
        accept: bool,
    },
}

fn main() -> ExitCode {
    let (generated, check) = match Arguments::parse().verb {
        Verb::Docs { check } => (docs::files(), check),
        Verb::Stack { check } => (stack::files(), check),
        Verb::Figures => return print_figures(),
        Verb::Api { accept } => return check_api(accept),
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

fn check_api(accept: bool) -> ExitCode {
    match api_problems(accept) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            eprintln!("{}", problems.join("\n"));
            eprintln!("xtask: accept an intended change of the public API with `just api-accept`");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("xtask: cannot list the public API: {error}");
            ExitCode::FAILURE
        }
    }
}

fn api_problems(accept: bool) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let listing = api::Listing::of_sources()?;
    let path = files::root().join(api::PATH);
    if accept {
        std::fs::write(&path, listing.to_text())?;
    }
    let mut problems = listing.difference(&std::fs::read_to_string(&path)?);
    problems.extend(listing.unstable_types(&api::unstable_crates()?));
    Ok(problems)
}
