//! Scans a folder for leaked secrets. Reports their positions, not their values.

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
use walk::{Limits, ScanReport};

/// Maximum of `hold_ms`.
const MAX_HOLD: Duration = Duration::from_secs(600);
/// Maximum number of concurrent walks.
const MAX_WALKS: usize = 2;

/// Agent with the action `scan`. Input: `path` (inside the scan root) and `hold_ms` (a pause before
/// the scan, for load tests).
#[derive(Debug)]
pub struct Scanner {
    root: PathBuf,
    limits: Limits,
    slots: Semaphore,
    walks: Mutex<HashMap<PathBuf, Weak<OnceCell<ScanReport>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanInput {
    #[serde(default)]
    path: Option<String>,
    #[serde(default, deserialize_with = "input::integer")]
    hold_ms: u64,
}

impl Scanner {
    /// Creates a scanner of folders inside `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            limits: Limits::default(),
            slots: Semaphore::new(MAX_WALKS),
            walks: Mutex::default(),
        }
    }

    /// Scans a folder. Concurrent scans of one folder share one walk.
    async fn scan(&self, folder: PathBuf) -> Result<ScanReport, AgentError> {
        let walk = {
            let mut walks = self.walks.lock().unwrap_or_else(PoisonError::into_inner);
            walks.retain(|_, walk| walk.strong_count() > 0);
            let joined = walks.get(&folder).and_then(Weak::upgrade);
            joined.unwrap_or_else(|| {
                let walk = Arc::default();
                walks.insert(folder.clone(), Arc::downgrade(&walk));
                walk
            })
        };
        walk.get_or_try_init(|| self.walk(&folder)).await.cloned()
    }

    async fn walk(&self, folder: &Path) -> Result<ScanReport, AgentError> {
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

/// Stops a walk that has no callers any more.
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
        let input: ScanInput = input::parse(context.input)?;
        let hold = Duration::from_millis(input.hold_ms);
        if hold > MAX_HOLD {
            let message =
                format!("hold_ms is {}; the maximum is {} ms", input.hold_ms, MAX_HOLD.as_millis());
            return Err(AgentError::permanent("invalid_input", message));
        }
        let folder = walk::resolve_inside(&self.root, input.path.as_deref().unwrap_or("."))
            .map_err(|outside| AgentError::permanent("outside_scan_root", outside.to_string()))?;
        tokio::time::sleep(hold).await;
        let report = self.scan(folder).await?;
        tracing::debug!(files = report.files, findings = report.total, "scanned");
        let mut output = serde_json::to_value(&report)
            .map_err(|error| AgentError::permanent("internal", error.to_string()))?;
        output["summary"] = summarize(&report).into();
        Ok(output)
    }
}

/// Summarizes the report for notifications.
fn summarize(report: &ScanReport) -> String {
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
