//! The workflows of a new database: `seeds/*.json`, inserted once and never changed.

use crate::agents::Registry;
use crate::domain::{Workflow, graph};
use crate::store::{Store, StoreError};

const SEEDS: [&str; 5] = [
    include_str!("../seeds/scan-and-notify.json"),
    include_str!("../seeds/alert-notification.json"),
    include_str!("../seeds/test-failure.json"),
    include_str!("../seeds/patch-with-approval.json"),
    include_str!("../seeds/diamond.json"),
];

/// A seed that was not stored.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file is not a workflow.
    #[error("a seed is not a workflow: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The workflow is invalid.
    #[error("the seed `{0}` is invalid: {1}")]
    Invalid(String, graph::GraphError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Parses and validates the seeds.
///
/// # Errors
/// A seed is not a valid workflow of these agents.
pub fn workflows(agents: &Registry) -> Result<Vec<Workflow>, SeedError> {
    SEEDS
        .iter()
        .map(|seed| {
            let workflow: Workflow = serde_json::from_str(seed)?;
            graph::validate(&workflow, agents)
                .map_err(|error| SeedError::Invalid(workflow.name.clone(), error))?;
            Ok(workflow)
        })
        .collect()
}

/// Inserts the seeds that are not stored yet.
///
/// # Errors
/// As [`workflows`], or the store failed.
pub async fn insert_seeds(store: &dyn Store, agents: &Registry) -> Result<(), SeedError> {
    for workflow in workflows(agents)? {
        store.create_workflow(&workflow).await?;
    }
    Ok(())
}
