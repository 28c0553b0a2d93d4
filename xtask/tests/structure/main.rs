//! Checks of the committed files of the stack that start no component.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod backup;
mod compose;
mod dashboards;
mod expressions;
mod kubernetes;
mod provisioning;
mod runbooks;
mod scale_out;
mod scripts;
mod timing;

use serde_json::Value;
use std::path::{Path, PathBuf};

/// Folder of the stack.
fn observability() -> PathBuf {
    xtask::files::root().join("observability")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = observability().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: impl AsRef<Path>) -> Value {
    let text = read(&path);
    let mut value: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text)
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()));
    // A merged mapping can have a merge key of its own.
    for _ in 0..3 {
        value.apply_merge().expect("merge keys");
    }
    serde_json::to_value(value).expect("YAML without odd keys")
}

/// Returns the files of a folder whose names end with `ending`, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(observability().join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}: nothing that ends with {ending}");
    files
}

fn dashboards() -> Vec<Value> {
    files("grafana/dashboards", ".json")
        .iter()
        .map(|path| {
            serde_json::from_str(&read(path))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect()
}

/// Returns the panels of a dashboard without the titles of its sections.
fn panels(dashboard: &Value) -> Vec<Value> {
    list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row").cloned().collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[test]
fn the_generated_files_match_the_definitions() {
    xtask::files::check(&xtask::files::root(), &xtask::stack::files())
        .expect("run `cargo run -p xtask -- stack`");
}
