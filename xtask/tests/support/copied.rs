//! A copy of the committed files of the stack, for tests that run `init` in it. Shared by the test
//! targets `tools` and `live`.

use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;
use xtask::files::root;

/// Copies the files, with the build context in the parent folder. Returns the folder of the copy
/// and its `observability/`.
pub(crate) fn copied() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let copied = Command::new("sh")
        .args(["-c", "git ls-files -z observability examples/orchestrator/Dockerfile | xargs -0 cp --parents -t \"$0\""])
        .arg(folder.path())
        .current_dir(root())
        .status()
        .expect("sh runs");
    assert!(copied.success(), "the folder cannot be copied");
    let copy = folder.path().join("observability");
    (folder, copy)
}
