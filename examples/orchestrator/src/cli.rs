//! The command line: the server, and clients of a running server.
//!
//! Every flag is also the variable `HUB_<FLAG>` and a key of the TOML file of `--config`. A flag
//! overrides the variable, the variable overrides the file. Ids are printed on stdout, everything
//! else on stderr.

pub mod approvals;
pub mod client;
mod config;
pub mod run;
pub mod values;
pub mod workflows;

use crate::server::args::ServeArgs;
use crate::terminal::{Exit, Problem};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Orchestration server for workflows of agents, instrumented with hub-otel.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, about, max_term_width = 100)]
#[command(after_help = "The default command is `serve`: `orchestrator --bind 127.0.0.1:9002` is \
                        `orchestrator serve --bind 127.0.0.1:9002`.\n\n\
                        Exit codes: 0 success, 1 failure, 2 usage error, 3 timeout.")]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts the server (the default).
    Serve(Box<ServeArgs>),
    /// Triggers a run on a running server.
    Run {
        /// The server.
        #[command(flatten)]
        server: client::Server,
        /// The run.
        #[command(flatten)]
        run: run::RunArgs,
    },
    /// Lists the workflows of a running server, or validates workflow files.
    Workflows {
        /// The server.
        #[command(flatten)]
        server: client::Server,
        /// The command.
        #[command(subcommand)]
        command: workflows::WorkflowsCommand,
    },
    /// Lists and decides pending approvals.
    Approvals {
        /// The server.
        #[command(flatten)]
        server: client::Server,
        /// The command.
        #[command(subcommand)]
        command: approvals::ApprovalsCommand,
    },
}

/// Parses and executes the command line.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = with_default_command(std::env::args_os().collect());
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stderr does not change the exit code.
            drop(error.print());
            let usage = error.use_stderr();
            return if usage { Exit::Usage } else { Exit::Success }.into();
        }
    };
    let result = match cli.command {
        Command::Serve(serve) => crate::server::main(&serve),
        Command::Run { server, run } => {
            client::main(server, async |api| Ok(run.execute(&api).await?))
        }
        Command::Workflows { server, command } => workflows::main(server, command),
        Command::Approvals { server, command } => {
            client::main(server, async |api| Ok(command.execute(&api).await?))
        }
    };
    result.unwrap_or_else(Problem::report).into()
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let command = config::apply(Cli::command(), arguments)?;
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Inserts the default command: `orchestrator --bind …` is `orchestrator serve --bind …`.
fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let first = arguments.get(1).and_then(|argument| argument.to_str()).unwrap_or("-");
    if first.starts_with('-') && !["-h", "--help", "-V", "--version"].contains(&first) {
        arguments.insert(arguments.len().min(1), "serve".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Cli, clap::Error> {
        let arguments = std::iter::once("orchestrator").chain(arguments.iter().copied());
        parse(&with_default_command(arguments.map(OsString::from).collect()))
    }

    fn serve(arguments: &[&str]) -> ServeArgs {
        match read(arguments).unwrap().command {
            Command::Serve(serve) => *serve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_also_a_variable_of_its_name() {
        fn check(command: &clap::Command, seen: &mut usize) {
            for argument in command.get_arguments() {
                let Some(flag) = argument.get_long() else { continue };
                // `--span-filter` has the variable of the library.
                if ["help", "version", "print-config", "span-filter"].contains(&flag) {
                    continue;
                }
                let variable = format!("HUB_{}", flag.to_uppercase().replace('-', "_"));
                assert_eq!(
                    argument.get_env(),
                    Some(variable.as_ref()),
                    "{} --{flag}",
                    command.get_name()
                );
                *seen += 1;
            }
            command.get_subcommands().for_each(|command| check(command, seen));
        }
        let mut seen = 0;
        check(&Cli::command(), &mut seen);
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn without_a_command_the_server_starts() {
        assert_eq!(serve(&[]).bind, serve(&["serve"]).bind);
        assert_eq!(serve(&["--bind", "127.0.0.1:0"]).bind.to_string(), "127.0.0.1:0");
    }

    #[test]
    fn the_file_overrides_defaults_and_flags_override_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        std::fs::write(
            &file,
            "bind = \"127.0.0.1:7001\"\ndrain-timeout = \"3s\"\nconsole = true\n",
        )
        .unwrap();
        let file = file.to_str().unwrap();
        let read = serve(&["--config", file]);
        assert_eq!(read.bind.to_string(), "127.0.0.1:7001");
        assert_eq!(read.drain_timeout.as_secs(), 3);
        assert!(read.console);
        assert_eq!(
            serve(&["--config", file, "--bind", "127.0.0.1:7002"]).bind.to_string(),
            "127.0.0.1:7002"
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_the_choices() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        std::fs::write(&file, "bnid = \"127.0.0.1:7001\"\n").unwrap();
        let error = read(&["--config", file.to_str().unwrap()]).unwrap_err().to_string();
        assert!(error.contains("`bnid`") && error.contains("drain-timeout"), "{error}");
    }
}
