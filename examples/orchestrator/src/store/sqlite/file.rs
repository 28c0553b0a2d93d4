//! The files of the database: creation, and whether their names still lead to them.

use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Creates the file if it is missing, readable by its owner only: contexts and inputs can contain
/// confidential data. SQLite gives its other files the same mode.
pub(super) fn create_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    // A file that exists is opened by SQLite with its own error.
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The file that was opened. SQLite continues to write to a file that was deleted, and everything
/// is lost when the process ends.
#[derive(Debug, Clone)]
pub(super) struct OpenedFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl OpenedFile {
    pub(super) fn of(path: &Path) -> Result<Self> {
        // Absolute, in case the process changes its folder.
        let path = path.canonicalize()?;
        let found = std::fs::metadata(&path)?;
        Ok(Self { path, device: found.dev(), inode: found.ino() })
    }

    /// Checks that the name leads to the file that was opened.
    pub(super) fn check(&self) -> Result<()> {
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            // Not `NotFound`, which would be classified as a lost connection.
            _ => Err(Error::other(format!(
                "the file `{}` of the database was deleted or replaced; restore it and restart",
                self.path.display()
            ))),
        }
    }
}
