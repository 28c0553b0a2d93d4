//! `orchestrator workflows`: what a server can run, and whether a file would be accepted.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::client::{self, Api, CallError, Server};
use super::{Exit, Problem, out};
use crate::agents::{Registry, Settings, standard};
use crate::domain::{Workflow, graph};
use crate::security::Secrets;

/// Lists workflows, or checks files of them.
#[derive(Debug, Clone, Subcommand)]
pub enum Workflows {
    /// Lists a running server's workflows: name and description, a line each.
    List,
    /// Checks workflows in JSON files against the agents of this build, without a server.
    Validate {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Does it.
pub(super) fn main(server: Server, command: Workflows) -> Result<Exit, Problem> {
    match command {
        Workflows::List => client::main(server, async |api| Ok(list(&api).await?)),
        Workflows::Validate { files } => {
            Ok(validate(&files, &standard(&Settings::default(), &Secrets::default())?))
        }
    }
}

/// The names of a running server's workflows.
async fn list(api: &Api) -> Result<Exit, CallError> {
    for workflow in api.list("/api/workflows", "", &[], usize::MAX).await? {
        let name = api.text(&workflow, "name")?;
        match workflow["description"].as_str().filter(|text| !text.is_empty()) {
            Some(description) => out::line(&format!("{name}\t{description}")),
            None => out::line(&name),
        }
    }
    Ok(Exit::Success)
}

/// Checks each file and says what is wrong with it. The names of those that are valid go to stdout.
fn validate(files: &[PathBuf], agents: &Registry) -> Exit {
    let mut exit = Exit::Success;
    for file in files {
        match check(file, agents) {
            Ok(name) => out::line(&name),
            Err(reason) => {
                eprintln!("{}: {reason}", file.display());
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
