//! Runs workflows: takes runs from the store, calls agents, writes down what became of them.

use crate::agents::Registry;
use crate::store::{Admitted, Alert, Store, StoreError};
use std::sync::Arc;

/// The engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    agents: Registry,
}

/// Why the engine did not take a run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The process is going.
    #[error("the server is shutting down")]
    Draining,
    /// Too many runs at once.
    #[error("there are {0} runs in flight, which is as many as are allowed")]
    Overloaded(usize),
    /// No workflow of that name.
    #[error("there is no workflow `{0}`")]
    UnknownWorkflow(String),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// An engine over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, agents: Registry) -> Self {
        Self { inner: Arc::new(Inner { store, agents }) }
    }

    /// Where runs are remembered.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Who can be asked.
    #[must_use]
    pub fn agents(&self) -> &Registry {
        &self.inner.agents
    }

    /// Stores the run that an alert asks for, when it does, and starts it.
    ///
    /// # Errors
    /// When the server drains or is full, the workflow does not exist, or the store cannot answer.
    pub async fn admit_alert(&self, alert: Alert) -> Result<Admitted, EngineError> {
        Ok(self.inner.store.admit_alert(alert).await?)
    }
}
