//! The built-in agents.

use std::path::PathBuf;
use std::sync::Arc;

use super::fault::Fault;
use super::notifier::destination::Allowed;
use super::notifier::{Notifier, NotifierError};
use super::patcher::Patcher;
use super::scanner::Scanner;
use super::{Agent, Registry};
use crate::security::Secrets;

/// Settings of the built-in agents.
#[derive(Debug, Clone, Default)]
pub struct AgentSettings {
    /// Folder that the scanner reads and the patcher changes.
    pub scan_root: PathBuf,
    /// Destinations of the notifier.
    pub notify: Allowed,
}

/// Creates the built-in agents: scanner, notifier, patcher, fault. The notifier is also
/// `alert-notifier`, so that alert rules can exclude the runs that alerts start.
///
/// # Errors
/// A destination of the notifier is not allowed.
pub fn builtin_agents(
    settings: &AgentSettings,
    secrets: &Secrets,
) -> Result<Registry, NotifierError> {
    let notifier: Arc<dyn Agent> = Arc::new(Notifier::new(secrets, &settings.notify)?);
    Ok(Registry::new()
        .with("scanner", Arc::new(Scanner::new(&settings.scan_root)))
        .with("notifier", notifier.clone())
        .with("alert-notifier", notifier)
        .with("patcher", Arc::new(Patcher::new(&settings.scan_root)))
        .with("fault", Arc::new(Fault)))
}
