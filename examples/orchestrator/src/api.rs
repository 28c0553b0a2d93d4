//! The HTTP API: routes, extractors, errors, and the document that describes them.

use crate::engine::Engine;

/// What every handler can reach.
#[derive(Clone)]
pub struct AppState {
    /// Runs, and through it the store and the agents.
    pub engine: Engine,
}
