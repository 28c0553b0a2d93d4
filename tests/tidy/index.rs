//! The index of tests in `tests/README.md`, and the ports that tests bind.

use crate::{files, read, root};
use std::path::PathBuf;

/// Returns the sources of a test target, in any package.
fn sources_of(target: &str) -> Vec<PathBuf> {
    let folders = ["tests", "xtask/tests", "examples/orchestrator/tests"];
    let single_files = ["tests/disabled/tests", "tests/shuttle/tests"];
    let mut found = Vec::new();
    for folder in folders.map(|folder| root().join(folder).join(target)) {
        if folder.is_dir() {
            found.extend(files(&folder, ".rs"));
        }
    }
    let files = single_files.map(|folder| root().join(folder).join(format!("{target}.rs")));
    found.extend(files.into_iter().filter(|file| file.is_file()));
    found
}

/// Reports whether `sources` define a function of that name.
fn define(sources: &[PathBuf], name: &str) -> bool {
    sources.iter().any(|file| read(file).contains(&format!("fn {name}(")))
}

/// Reports whether a word in backticks is a path in the repository.
fn is_path(word: &str) -> bool {
    word.contains('/') && !word.starts_with('/') && !word.contains(' ')
}

#[test]
fn the_index_of_tests_names_existing_tests_and_files() {
    let index = read(root().join("tests/README.md"));
    let mut missing = Vec::new();
    let mut tests = 0;
    for name in index.split('`').skip(1).step_by(2) {
        match name.split_once("::") {
            Some(("target", _)) => {}
            Some((target, test)) => {
                tests += 1;
                if !define(&sources_of(target), test) {
                    missing.push(name);
                }
            }
            None if is_path(name) && !root().join(name).exists() => missing.push(name),
            None => {}
        }
    }
    assert!(tests > 50, "only {tests} tests found in tests/README.md");
    assert!(missing.is_empty(), "tests/README.md names what does not exist: {missing:#?}");
}

#[test]
fn tests_bind_no_fixed_port() {
    let mut fixed = Vec::new();
    for folder in ["tests", "xtask/tests", "examples"] {
        for file in files(&root().join(folder), ".rs") {
            let is_test = file.components().any(|part| part.as_os_str() == "tests");
            for (number, line) in read(&file).lines().enumerate().filter(|_| is_test) {
                let bound = ["Listener::bind(\"", "\"--bind\", \""]
                    .iter()
                    .filter_map(|call| line.split_once(call))
                    .filter_map(|(_, rest)| rest.split_once('"'))
                    .any(|(address, _)| !address.ends_with(":0") && address.contains(':'));
                if bound && !file.ends_with("tidy/index.rs") {
                    fixed.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(fixed.is_empty(), "bind port 0 instead:\n{}", fixed.join("\n"));
}
