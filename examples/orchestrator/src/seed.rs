//! The workflows that every new database has: `seeds/*.json`, stored once and never changed.

use crate::agents::Registry;
use crate::domain::{Workflow, graph};
use crate::store::{Store, StoreError};

/// The definitions, as files that can be read and copied.
const SEEDS: [&str; 5] = [
    include_str!("../seeds/scan-and-notify.json"),
    include_str!("../seeds/alert-notification.json"),
    include_str!("../seeds/test-failure.json"),
    include_str!("../seeds/patch-with-approval.json"),
    include_str!("../seeds/diamond.json"),
];

/// Why a seed was not stored.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file is no workflow.
    #[error("a seed is not a workflow: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It cannot be run.
    #[error("the seed `{0}` cannot be run: {1}")]
    Invalid(String, graph::GraphError),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The seeds.
///
/// # Errors
/// When one is not a workflow that these agents can run.
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

/// Stores the seeds that are not stored yet.
///
/// # Errors
/// As [`workflows`], or when the store cannot answer.
pub async fn plant(store: &dyn Store, agents: &Registry) -> Result<(), SeedError> {
    for workflow in workflows(agents)? {
        store.create_workflow(&workflow).await?;
    }
    Ok(())
}
