//! Walks a folder and reports the secrets in its files, within limits that hold for any folder.
//!
//! It honours `.gitignore` (what is not committed is not leaked), follows no symbolic link (a link is a way out of the
//! folder), leaves binary and large files alone, and stops when its caller is gone.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::rules;

/// What a scan may cost at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files that are read.
    pub files: usize,
    /// Bytes of one file; larger ones are skipped.
    pub file_bytes: u64,
    /// Findings that are listed; all are counted.
    pub listed: usize,
    /// How long it may take.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 20_000, file_bytes: 1 << 20, listed: 50, time: Duration::from_secs(60) }
    }
}

/// A secret in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of secret.
    pub rule: String,
    /// The file, relative to the folder.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How it begins; never the whole of it.
    pub preview: String,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The folder, relative to the scan root.
    pub folder: String,
    /// Files that were read.
    pub files: usize,
    /// Files that were left alone: binary, too large, unreadable.
    pub skipped: usize,
    /// Bytes that were read.
    pub bytes: u64,
    /// How many secrets there are.
    pub total: usize,
    /// The first of them.
    pub findings: Vec<Finding>,
    /// A limit was reached: there may be more.
    pub truncated: bool,
}

/// Resolves a folder that a run named, inside `root` and nowhere else.
///
/// # Errors
/// When it does not exist, is no folder, or lies outside.
pub fn inside(root: &Path, folder: &str) -> Result<PathBuf, Outside> {
    let outside = || Outside { folder: folder.chars().take(200).collect() };
    let root = root.canonicalize().map_err(|_| outside())?;
    let resolved = root.join(folder).canonicalize().map_err(|_| outside())?;
    if resolved.starts_with(&root) { Ok(resolved) } else { Err(outside()) }
}

/// A path that leads out of the scan root, or nowhere.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{folder}` is nothing inside the scan root; name a path relative to it, or start the server with --scan-root"
)]
pub struct Outside {
    folder: String,
}

/// Scans `folder`; blocking. `stop` ends it early, its report then counts for nothing.
pub fn scan(root: &Path, folder: &Path, limits: Limits, stop: &AtomicBool) -> Report {
    let started = Instant::now();
    let mut report = Report { folder: relative(root, folder), ..Report::default() };
    let walk = ignore::WalkBuilder::new(folder)
        .hidden(false)
        .follow_links(false)
        .require_git(false)
        .parents(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_path(Path::cmp)
        .build();
    for entry in walk {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if report.files >= limits.files || started.elapsed() > limits.time {
            report.truncated = true;
            break;
        }
        let Ok(entry) = entry else {
            report.skipped += 1;
            continue;
        };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        match read_text(entry.path(), limits.file_bytes) {
            Some(text) => {
                report.files += 1;
                report.bytes += text.len() as u64;
                scan_text(&relative(folder, entry.path()), &text, limits, &mut report);
            }
            None => report.skipped += 1,
        }
    }
    report
}

fn scan_text(path: &str, text: &str, limits: Limits, report: &mut Report) {
    for (index, line) in text.lines().enumerate() {
        for place in rules::matches(line) {
            report.total += 1;
            if report.findings.len() == limits.listed {
                report.truncated = true;
                continue;
            }
            report.findings.push(Finding {
                rule: place.rule.to_owned(),
                path: path.to_owned(),
                line: index + 1,
                column: line[..place.start].chars().count() + 1,
                preview: rules::preview(&line[place.start..place.end]),
            });
        }
    }
}

/// The text of a file; `None` when it is binary, too large, or cannot be read.
fn read_text(path: &Path, most: u64) -> Option<String> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok().filter(|data| data.is_file() && data.len() <= most)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
    // A file may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > most || bytes.iter().take(8_192).any(|byte| *byte == 0) {
        return None;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn relative(base: &Path, path: &Path) -> String {
    match path.strip_prefix(base).unwrap_or(path).to_string_lossy() {
        text if text.is_empty() => ".".to_owned(),
        text => text.replace('\\', "/"),
    }
}
