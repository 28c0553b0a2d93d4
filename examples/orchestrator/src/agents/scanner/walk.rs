//! Walks a folder and reports the secrets in its files, within limits.
//!
//! Respects `.gitignore` (an ignored file is not committed), does not follow symbolic links (they
//! can lead out of the folder), skips binary and large files, and stops if all callers are dropped.
//! Opens regular files only: the open of a named pipe never returns.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::rules;

/// Maximum size of a `.gitignore` that is respected.
const MAX_GITIGNORE: u64 = 1 << 20;

/// Limits of a scan.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum number of files.
    pub files: usize,
    /// Maximum size of a file. Larger ones are skipped.
    pub file_bytes: u64,
    /// Maximum number of listed findings. All are counted.
    pub listed: usize,
    /// Maximum duration.
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
    /// First characters and length of the secret.
    pub preview: String,
}

/// Result of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ScanReport {
    /// The folder, relative to the scan root.
    pub folder: String,
    /// Number of files read.
    pub files: usize,
    /// Number of files skipped: binary, too large or unreadable.
    pub skipped: usize,
    /// Number of bytes read.
    pub bytes: u64,
    /// Number of secrets.
    pub total: usize,
    /// The first findings.
    pub findings: Vec<Finding>,
    /// A limit was reached. There can be more secrets.
    pub truncated: bool,
}

/// Resolves a folder inside `root`.
///
/// # Errors
/// The folder does not exist or is outside of `root`.
pub fn resolve_inside(root: &Path, folder: &str) -> Result<PathBuf, Outside> {
    let outside = || Outside { folder: folder.chars().take(200).collect() };
    let root = root.canonicalize().map_err(|_| outside())?;
    let resolved = root.join(folder).canonicalize().map_err(|_| outside())?;
    if resolved.starts_with(&root) { Ok(resolved) } else { Err(outside()) }
}

/// A path outside of the scan root, or that does not exist.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{folder}` does not exist inside the scan root; set a path relative to it, or start the server with --scan-root"
)]
pub struct Outside {
    folder: String,
}

/// Scans `folder`. Blocks the thread. `stop` ends the scan early; its report is then incomplete.
pub fn scan(root: &Path, folder: &Path, limits: Limits, stop: &AtomicBool) -> ScanReport {
    let started = Instant::now();
    let mut report = ScanReport { folder: relative(root, folder), ..ScanReport::default() };
    // Folders whose `.gitignore` must not be opened are walked without it.
    let unusual = Arc::new(Mutex::new(Vec::new()));
    if !is_usual(folder) {
        lock(&unusual).push(folder.to_owned());
    } else {
        let found = Arc::clone(&unusual);
        let walk = walk_builder(folder)
            .git_ignore(true)
            .filter_entry(move |entry| {
                let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
                let usual = !is_folder || is_usual(entry.path());
                if !usual {
                    lock(&found).push(entry.path().to_owned());
                }
                usual && entry.file_name() != ".git"
            })
            .build();
        scan_files(folder, walk, limits, started, stop, &mut report);
    }
    for inside in std::mem::take(&mut *lock(&unusual)) {
        let walk = walk_builder(&inside).filter_entry(|entry| entry.file_name() != ".git").build();
        scan_files(folder, walk, limits, started, stop, &mut report);
    }
    report
}

fn walk_builder(folder: &Path) -> ignore::WalkBuilder {
    let mut walk = ignore::WalkBuilder::new(folder);
    walk.standard_filters(false)
        .follow_links(false)
        .require_git(false)
        .sort_by_file_path(Path::cmp);
    walk
}

/// Returns whether the `.gitignore` of a folder is missing, or a regular file of usual size.
fn is_usual(folder: &Path) -> bool {
    match std::fs::symlink_metadata(folder.join(".gitignore")) {
        Ok(found) => found.is_file() && found.len() <= MAX_GITIGNORE,
        Err(_) => true,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn scan_files(
    folder: &Path,
    walk: ignore::Walk,
    limits: Limits,
    started: Instant,
    stop: &AtomicBool,
    report: &mut ScanReport,
) {
    for entry in walk {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if report.files >= limits.files || started.elapsed() > limits.time {
            report.truncated = true;
            return;
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
                scan_text(&relative(folder, entry.path()), &text, limits, report);
            }
            None => report.skipped += 1,
        }
    }
}

fn scan_text(path: &str, text: &str, limits: Limits, report: &mut ScanReport) {
    for (index, line) in text.lines().enumerate() {
        for place in rules::find_secrets(line) {
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

/// Reads a text file. Returns `None` if it is binary, too large or unreadable.
fn read_text(path: &Path, max: u64) -> Option<String> {
    let file = open_regular(path).ok()?;
    let length = file.metadata().ok().filter(|data| data.is_file() && data.len() <= max)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
    // The file can grow while it is read.
    file.take(max + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > max || bytes.iter().take(8_192).any(|byte| *byte == 0) {
        return None;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens a regular file for reading. Does not follow a link and does not wait for the writer of a
/// named pipe, whatever was at this path when the folder was listed.
///
/// # Errors
/// The file cannot be opened, or is not a regular file.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::ErrorKind::InvalidInput.into()) }
}

fn relative(base: &Path, path: &Path) -> String {
    match path.strip_prefix(base).unwrap_or(path).to_string_lossy() {
        text if text.is_empty() => ".".to_owned(),
        text => text.replace('\\', "/"),
    }
}
