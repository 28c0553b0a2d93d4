//! Replaces reported secrets in files by placeholders. Requires an approval, because others depend
//! on the files.

pub mod redact;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::scanner::walk::{self, Finding};
use super::{Agent, AgentContext, AgentError, RiskLevel, input};

/// Agent with the action `apply`. Input: `path` (the folder) and `findings` (of the scanner).
#[derive(Debug)]
pub struct Patcher {
    root: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchInput {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    findings: Vec<Finding>,
}

impl Patcher {
    /// Creates a patcher of files inside `root`.
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
        let input: PatchInput = input::parse(context.input)?;
        let root = self.root.clone();
        // In a task of its own, so that a cancelled run does not stop between two files.
        tokio::task::spawn_blocking(move || apply(&root, &input))
            .await
            .map_err(|_| AgentError::permanent("internal", "the patch was interrupted"))?
    }
}

fn apply(root: &std::path::Path, input: &PatchInput) -> Result<Value, AgentError> {
    let outside =
        |error: walk::Outside| AgentError::permanent("outside_scan_root", error.to_string());
    let folder =
        walk::resolve_inside(root, input.path.as_deref().unwrap_or(".")).map_err(outside)?;
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in &input.findings {
        files.entry(&finding.path).or_default().insert(&finding.rule);
    }
    let (mut replaced, mut changed, mut failed) = (0, Vec::new(), Vec::new());
    for (name, rules) in files {
        let path = walk::resolve_inside(&folder, name).map_err(outside)?;
        match redact::redact_file(&path, &Vec::from_iter(rules)) {
            Ok(0) => {}
            Ok(count) => {
                replaced += count;
                changed.push(name);
            }
            Err(error) => failed.push(json!({ "path": name, "error": error.to_string() })),
        }
    }
    if let Some(first) = failed.first() {
        let message = format!("{} files could not be patched, the first: {first}", failed.len());
        return Err(AgentError::retryable("patch_failed", message));
    }
    tracing::info!(replaced, files = changed.len(), "replaced secrets in files");
    Ok(json!({ "replaced": replaced, "files": changed }))
}
