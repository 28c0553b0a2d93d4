//! Writes generated files, or compares them with the committed files.

use std::fmt;
use std::path::{Path, PathBuf};

/// A generated file.
#[derive(Debug, Clone)]
pub struct File {
    /// Path relative to the root of the repository.
    pub path: String,
    /// Complete content.
    pub content: String,
}

impl File {
    /// Creates a file from its path and content.
    pub fn new(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), content: content.into() }
    }
}

/// Failure of [`write()`] or [`check`].
#[derive(Debug)]
pub enum Error {
    /// Committed files that are missing or differ from the generated ones, with the first
    /// difference.
    Drift(Vec<String>),
    /// A file could not be written.
    Write(PathBuf, std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drift(drifted) => {
                write!(
                    f,
                    "generated files differ from the contract; run the same command without `--check`:"
                )?;
                drifted.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// Returns the root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// Writes the files that differ from the committed ones, and returns a report with their number.
///
/// # Errors
/// If a folder or a file cannot be written.
pub fn write(root: &Path, files: &[File]) -> Result<String, Error> {
    let mut written = 0;
    for file in files {
        let path = root.join(&file.path);
        if std::fs::read_to_string(&path).is_ok_and(|committed| committed == file.content) {
            continue;
        }
        let failed = |error| Error::Write(path.clone(), error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&path, &file.content).map_err(failed)?;
        written += 1;
    }
    Ok(format!("{} generated files, {written} written", files.len()))
}

/// Compares the files with the committed ones.
///
/// # Errors
/// If a committed file is missing or differs.
pub fn check(root: &Path, files: &[File]) -> Result<String, Error> {
    let drifted: Vec<String> = files.iter().filter_map(|file| drift(root, file)).collect();
    if drifted.is_empty() {
        Ok(format!("{} generated files match the contract", files.len()))
    } else {
        Err(Error::Drift(drifted))
    }
}

fn drift(root: &Path, file: &File) -> Option<String> {
    let committed = match std::fs::read_to_string(root.join(&file.path)) {
        Ok(committed) if committed == file.content => return None,
        Ok(committed) => committed,
        Err(error) => return Some(format!("{}: {error}", file.path)),
    };
    let (mut committed, mut generated) = (committed.lines(), file.content.lines());
    let mut line = 0;
    loop {
        line += 1;
        let pair = (committed.next(), generated.next());
        if pair.0 != pair.1 || pair == (None, None) {
            let [old, new] =
                [pair.0, pair.1].map(|text| text.unwrap_or("(end of file)").trim().to_owned());
            return Some(format!("{}:{line}: committed `{old}`, generated `{new}`", file.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifted_file_is_reported_with_its_first_difference() {
        let folder = tempfile::tempdir().expect("folder");
        let files = [File::new("a/b.md", "one\ntwo\n")];
        assert!(check(folder.path(), &files).is_err(), "a missing file is drift");
        assert_eq!(write(folder.path(), &files).expect("written"), "1 generated files, 1 written");
        assert_eq!(write(folder.path(), &files).expect("written"), "1 generated files, 0 written");
        assert!(check(folder.path(), &files).is_ok());
        std::fs::write(folder.path().join("a/b.md"), "one\nzwei\n").expect("edited");
        let error = check(folder.path(), &files).expect_err("drift").to_string();
        assert!(error.contains("a/b.md:2: committed `zwei`, generated `two`"), "{error}");
    }
}
