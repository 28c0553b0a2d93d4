//! The number of crates of each feature, as README.md states it.

use crate::{read, root};
use std::collections::BTreeSet;
use std::process::Command;

/// The most crates that a library pays which annotates its functions and enables nothing.
const MAX_WITHOUT_FEATURES: usize = 20;

/// Counts the crates of `hub-otel` with `features`, hub-otel's own two included.
fn crates(features: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-p", "hub-otel", "-e", "normal"])
        .args(["--prefix", "none", "--no-default-features", "--features", features])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).expect("UTF-8");
    listing.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn a_library_without_features_pulls_few_crates_and_no_sdk() {
    let found = crates("");
    for name in ["opentelemetry_sdk", "tokio", "prost", "tracing-subscriber"] {
        let pulled = found.iter().find(|line| line.starts_with(&format!("{name} ")));
        assert_eq!(pulled, None, "without features");
    }
    assert!(found.len() <= MAX_WITHOUT_FEATURES, "{}: {found:#?}", found.len());
}

#[test]
fn the_readme_states_the_number_of_crates_of_each_feature() {
    let manifest: toml::Table =
        read(root().join("hub-otel/Cargo.toml")).parse().expect("a manifest");
    let readme = read(root().join("README.md"));
    let mut wrong = Vec::new();
    for feature in manifest["features"].as_table().expect("features").keys() {
        let count = crates(feature).len();
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{feature}` |")));
        let stated = row.and_then(|row| row.split('|').nth(3)).map(str::trim);
        if stated != Some(&count.to_string()) {
            wrong.push(format!("`{feature}`: {count}, README.md: {stated:?}"));
        }
    }
    let none = crates("").len();
    if !readme.contains(&format!("| none | | {none} |")) {
        wrong.push(format!("none: {none}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
