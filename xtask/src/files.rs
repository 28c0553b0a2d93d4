//! Generated files: written, or compared with what is committed.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file that is generated.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it stands, from the root of the repository.
    pub path: String,
    /// All of it.
    pub content: String,
}

impl File {
    /// A file and its content.
    pub fn new(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), content: content.into() }
    }
}

/// Why the files are not what they should be.
#[derive(Debug)]
pub enum Error {
    /// These committed files differ from what would be generated, or are missing; each with its first difference.
    Drift(Vec<String>),
    /// A file cannot be written.
    Write(PathBuf, std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drift(drifted) => {
                write!(
                    f,
                    "generated files have drifted from the contract; run the same command without `--check`:"
                )?;
                drifted.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// Writes the files that differ, and says how many did.
///
/// # Errors
/// A folder or a file cannot be written.
pub fn write(root: &Path, files: &[File]) -> Result<String, Error> {
    let mut written = 0;
    for file in files {
        let path = root.join(&file.path);
        if std::fs::read_to_string(&path).is_ok_and(|there| there == file.content) {
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

/// Compares the files with what is there.
///
/// # Errors
/// One of them is missing or differs.
pub fn check(root: &Path, files: &[File]) -> Result<String, Error> {
    let drifted: Vec<String> = files.iter().filter_map(|file| drift(root, file)).collect();
    if drifted.is_empty() {
        Ok(format!("{} generated files agree with the contract", files.len()))
    } else {
        Err(Error::Drift(drifted))
    }
}

fn drift(root: &Path, file: &File) -> Option<String> {
    let there = match std::fs::read_to_string(root.join(&file.path)) {
        Ok(there) if there == file.content => return None,
        Ok(there) => there,
        Err(error) => return Some(format!("{}: {error}", file.path)),
    };
    let (mut committed, mut generated) = (there.lines(), file.content.lines());
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
    fn a_drifted_file_is_named_with_its_first_difference() {
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
