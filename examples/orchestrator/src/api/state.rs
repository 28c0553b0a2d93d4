//! State of every handler.

use crate::engine::Engine;
use crate::security::{AllowedHosts, Secrets};
use crate::webhook::auth::SignatureTime;
use std::sync::Arc;
use std::time::Instant;

/// State of every handler.
#[derive(Clone)]
pub struct AppState {
    /// The engine, with its store and agents.
    pub engine: Engine,
    /// Credentials of callers.
    pub secrets: Arc<Secrets>,
    /// Host names by which the server may be requested.
    pub hosts: AllowedHosts,
    /// Rules for time stamps of the webhook's signatures.
    pub signature_time: SignatureTime,
    /// `service.name` of the telemetry.
    pub service: Arc<str>,
    /// Start of the server.
    pub started: Instant,
}
