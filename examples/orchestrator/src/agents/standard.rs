//! The agents that every server has.

use std::path::PathBuf;
use std::sync::Arc;

use super::fault::Fault;
use super::notifier::destination::Allowed;
use super::notifier::{Notifier, NotifierError};
use super::patcher::Patcher;
use super::scanner::Scanner;
use super::{Agent, Registry};
use crate::security::Secrets;

/// What the agents need to know.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The folder that the scanner looks into and the patcher changes: nothing outside of it.
    pub scan_root: PathBuf,
    /// Where the notifier may deliver.
    pub notify: Allowed,
}

/// Scanner, notifier, patcher, fault; the notifier also as `alert-notifier`, so that rules can leave out the runs that
/// alerts start.
///
/// # Errors
/// When a destination of the notifier is not allowed.
pub fn standard(settings: &Settings, secrets: &Secrets) -> Result<Registry, NotifierError> {
    let notifier: Arc<dyn Agent> = Arc::new(Notifier::new(secrets, &settings.notify)?);
    Ok(Registry::new()
        .with("scanner", Arc::new(Scanner::new(&settings.scan_root)))
        .with("notifier", notifier.clone())
        .with("alert-notifier", notifier)
        .with("patcher", Arc::new(Patcher::new(&settings.scan_root)))
        .with("fault", Arc::new(Fault)))
}
