//! State of every handler.

use crate::engine::Engine;
use crate::security::Secrets;
use std::sync::Arc;
use std::time::Instant;

/// State of every handler.
#[derive(Clone)]
pub struct AppState {
    /// The engine, with its store and agents.
    pub engine: Engine,
    /// Credentials of callers.
    pub secrets: Arc<Secrets>,
    /// `service.name` of the telemetry.
    pub service: Arc<str>,
    /// Start of the server.
    pub started: Instant,
}
