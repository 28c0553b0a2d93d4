//! Takes reported secrets out of files. Changes what others depend on, so a human says yes first.

pub mod redact;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::scanner::walk::{self, Finding};
use super::{Agent, AgentContext, AgentError, RiskLevel, input};

/// The agent: `apply` with `path` (the folder) and `findings` (as the scanner reported them).
#[derive(Debug)]
pub struct Patcher {
    root: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    findings: Vec<Finding>,
}

impl Patcher {
    /// A patcher of files inside `root` and nowhere else.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl Agent for Patcher {
    fn actions(&self) -> &'static [&'static str] {
        &["apply"]
    }

    fn risk(&self, _action: &str) -> RiskLevel {
        RiskLevel::ApprovalRequired
    }

    async fn execute(&self, context: AgentContext) -> Result<Value, AgentError> {
        let asked: Input = input::read(context.input)?;
        let root = self.root.clone();
        // In a task of its own: a run that is cancelled leaves no file half of a set of files unaccounted for.
        tokio::task::spawn_blocking(move || apply(&root, &asked))
            .await
            .map_err(|_| AgentError::permanent("internal", "the patch was interrupted"))?
    }
}

fn apply(root: &std::path::Path, asked: &Input) -> Result<Value, AgentError> {
    let outside =
        |error: walk::Outside| AgentError::permanent("outside_scan_root", error.to_string());
    let folder = walk::inside(root, asked.path.as_deref().unwrap_or(".")).map_err(outside)?;
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in &asked.findings {
        files.entry(&finding.path).or_default().insert(&finding.rule);
    }
    let (mut replaced, mut changed, mut failed) = (0, Vec::new(), Vec::new());
    for (name, rules) in files {
        let path = walk::inside(&folder, name).map_err(outside)?;
        match redact::file(&path, &Vec::from_iter(rules)) {
            Ok(0) => {}
            Ok(count) => {
                replaced += count;
                changed.push(name);
            }
            Err(error) => failed.push(json!({ "path": name, "error": error.to_string() })),
        }
    }
    if let Some(first) = failed.first() {
        let message =
            format!("{} of the files could not be patched, the first: {first}", failed.len());
        return Err(AgentError::retryable("patch_failed", message));
    }
    tracing::info!(replaced, files = changed.len(), "took secrets out of files");
    Ok(json!({ "replaced": replaced, "files": changed }))
}
