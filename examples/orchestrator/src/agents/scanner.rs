//! Scans a folder for secrets that were left in its files, and reports where they are without repeating them.

pub mod rules;
pub mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

use super::{Agent, AgentContext, AgentError, input};
use walk::{Limits, Report};

/// The longest that a run may ask to be held.
const LONGEST_HOLD: Duration = Duration::from_secs(600);
/// Folders that are walked at the same time.
const WALKS: usize = 2;

/// The agent: `scan` with `path` (inside the scan root) and `hold_ms` (how long the run stays busy first, for load).
#[derive(Debug)]
pub struct Scanner {
    root: PathBuf,
    limits: Limits,
    slots: Semaphore,
    flights: Mutex<HashMap<PathBuf, Weak<OnceCell<Report>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    path: Option<String>,
    #[serde(default, deserialize_with = "input::whole")]
    hold_ms: u64,
}

impl Scanner {
    /// A scanner that looks inside `root` and nowhere else.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            limits: Limits::default(),
            slots: Semaphore::new(WALKS),
            flights: Mutex::default(),
        }
    }

    /// Scans that ask for the same folder while it is being walked share the walk: fifty runs cost one.
    async fn scan(&self, folder: PathBuf) -> Result<Report, AgentError> {
        let flight = {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            flights.retain(|_, flight| flight.strong_count() > 0);
            let joined = flights.get(&folder).and_then(Weak::upgrade);
            joined.unwrap_or_else(|| {
                let flight = Arc::default();
                flights.insert(folder.clone(), Arc::downgrade(&flight));
                flight
            })
        };
        flight.get_or_try_init(|| self.walk(&folder)).await.cloned()
    }

    async fn walk(&self, folder: &Path) -> Result<Report, AgentError> {
        let gone = |_| AgentError::retryable("scan_interrupted", "the scan was interrupted");
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|_| AgentError::retryable("scan_interrupted", "shutting down"))?;
        let stop = StopOnDrop(Arc::default());
        let (root, folder, limits, stopped) =
            (self.root.clone(), folder.to_owned(), self.limits, stop.0.clone());
        tokio::task::spawn_blocking(move || {
            let root = root.canonicalize().unwrap_or(root);
            walk::scan(&root, &folder, limits, &stopped)
        })
        .await
        .map_err(gone)
    }
}

/// A walk whose callers are gone does not go on to read the disk.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Agent for Scanner {
    fn actions(&self) -> &'static [&'static str] {
        &["scan"]
    }

    async fn execute(&self, context: AgentContext) -> Result<Value, AgentError> {
        let asked: Input = input::read(context.input)?;
        let hold = Duration::from_millis(asked.hold_ms);
        if hold > LONGEST_HOLD {
            let message =
                format!("hold_ms is {}; at most {} ms", asked.hold_ms, LONGEST_HOLD.as_millis());
            return Err(AgentError::permanent("invalid_input", message));
        }
        let folder = walk::inside(&self.root, asked.path.as_deref().unwrap_or("."))
            .map_err(|outside| AgentError::permanent("outside_scan_root", outside.to_string()))?;
        tokio::time::sleep(hold).await;
        let report = self.scan(folder).await?;
        tracing::debug!(files = report.files, findings = report.total, "scanned");
        let mut output = serde_json::to_value(&report)
            .map_err(|error| AgentError::permanent("internal", error.to_string()))?;
        output["summary"] = summary(&report).into();
        Ok(output)
    }
}

/// The report in a sentence, for whoever is notified.
fn summary(report: &Report) -> String {
    let files = match report.files {
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    };
    let found = match report.total {
        0 => "no secrets".to_owned(),
        1 => "1 possible secret".to_owned(),
        total => format!("{total} possible secrets"),
    };
    let first = report.findings.first().map(|finding| {
        format!("; the first: {} in {}:{}", finding.rule, finding.path, finding.line)
    });
    format!("{found} in {files} of {}{}", report.folder, first.unwrap_or_default())
}
