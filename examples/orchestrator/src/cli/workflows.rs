//! `orchestrator workflows`: lists workflows, validates workflow files.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::client::{self, Api, CallError, Server};
use crate::agents::Registry;
use crate::agents::builtin::{AgentSettings, builtin_agents};
use crate::domain::{Workflow, graph};
use crate::security::Secrets;
use crate::terminal::{Exit, Problem, print_line, print_message};

/// Lists workflows, or validates workflow files.
#[derive(Debug, Clone, Subcommand)]
pub enum WorkflowsCommand {
    /// Lists the workflows of a running server, one per line: name and description.
    List,
    /// Validates workflows in JSON files against the agents of this build, without a server.
    Validate {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Executes the command.
pub(super) fn main(server: Server, command: WorkflowsCommand) -> Result<Exit, Problem> {
    match command {
        WorkflowsCommand::List => client::main(server, async |api| Ok(list(&api).await?)),
        WorkflowsCommand::Validate { files } => {
            Ok(validate(&files, &builtin_agents(&AgentSettings::default(), &Secrets::default())?))
        }
    }
}

/// Lists the workflows of a running server.
async fn list(api: &Api) -> Result<Exit, CallError> {
    for workflow in api.list("/api/workflows", "", &[], usize::MAX).await? {
        let name = api.text(&workflow, "name")?;
        match workflow["description"].as_str().filter(|text| !text.is_empty()) {
            Some(text) => print_line(&format!("{name}\t{}", text.replace('\t', " "))),
            None => print_line(&name),
        }
    }
    Ok(Exit::Success)
}

/// Validates each file. Prints the names of valid workflows on stdout, errors on stderr.
fn validate(files: &[PathBuf], agents: &Registry) -> Exit {
    let mut exit = Exit::Success;
    for file in files {
        match check(file, agents) {
            Ok(name) => print_line(&name),
            Err(reason) => {
                print_message(&format!("{}: {reason}", file.display()));
                exit = Exit::Failed;
            }
        }
    }
    exit
}

fn check(file: &Path, agents: &Registry) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let workflow: Workflow = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    graph::validate(&workflow, agents).map_err(|error| error.to_string())?;
    Ok(workflow.name)
}
