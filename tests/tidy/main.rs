//! Rules of ARCHITECTURE.md and STYLE.md that no compiler checks: manifests, links, names, language,
//! module structure, number of crates.

mod closed_values;
mod index;
mod language;
mod modules;
mod weight;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository contains tests/")
        .to_path_buf()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Returns the files below `folder` that end in `ending`, without build output and hidden folders.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("a folder entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules", "data"].contains(&name) {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_macro_crate_is_required_in_lock_step() {
    let manifest: toml::Table =
        read(root().join("Cargo.toml")).parse().expect("the workspace's manifest");
    let version = manifest["workspace"]["package"]["version"].as_str().expect("a version");
    for name in ["hub-otel", "hub-otel-macros"] {
        let required =
            manifest["workspace"]["dependencies"][name]["version"].as_str().expect("a requirement");
        assert_eq!(required, format!("={version}"), "{name} must be required as ={version}");
    }
}

#[test]
fn every_opentelemetry_crate_is_of_one_minor_version() {
    let lock: toml::Table = read(root().join("Cargo.lock")).parse().expect("the lock file");
    let packages = lock["package"].as_array().expect("packages");
    let others: Vec<_> = packages
        .iter()
        .map(|package| {
            (package["name"].as_str().unwrap_or(""), package["version"].as_str().unwrap_or(""))
        })
        .filter(|(name, _)| name.starts_with("opentelemetry"))
        // Versioned independently; the crates it depends on are checked.
        .filter(|(name, _)| *name != "opentelemetry-resource-detectors")
        .filter(|(_, version)| !version.starts_with("0.33."))
        .collect();
    assert!(others.is_empty(), "not of 0.33: {others:?}");
}

#[test]
fn the_readme_shows_the_quickstart_that_is_compiled() {
    let example = read(root().join("examples/quickstart/src/main.rs"));
    let code: String = example
        .lines()
        .skip_while(|line| line.starts_with("//!") || line.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    let readme = read(root().join("README.md"));
    assert!(
        readme.contains(code.trim()),
        "README.md must show examples/quickstart/src/main.rs, exactly"
    );
}

#[test]
fn every_relative_link_of_the_documentation_leads_somewhere() {
    let mut broken = Vec::new();
    for file in files(&root(), ".md") {
        let text = read(&file);
        for link in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
        {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty()
                || path.contains("://")
                || path.contains(' ')
                || path.starts_with("mailto:")
            {
                continue;
            }
            if !file.parent().expect("a folder").join(path).exists() {
                broken.push(format!("{} → {link}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn only_the_contract_spells_a_telemetry_name() {
    let names: Vec<&str> = hub_otel::semconv::METRICS
        .iter()
        .map(|metric| metric.name)
        .chain(hub_otel::semconv::SPANS.iter().map(|span| span.name))
        .chain(
            hub_otel::semconv::SPANS
                .iter()
                .flat_map(|span| span.attributes)
                .map(|attribute| attribute.key),
        )
        .filter(|name| name.contains('.'))
        .collect();
    let mut spelled = Vec::new();
    let sources = ["hub-otel/src", "hub-otel-macros/src", "examples/orchestrator/src", "xtask/src"];
    for file in sources.iter().flat_map(|folder| files(&root().join(folder), ".rs")) {
        if file.components().any(|part| part.as_os_str() == "semconv") {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            for name in names.iter().filter(|name| code.contains(&format!("\"{name}\""))) {
                spelled.push(format!("{}:{}: {name}", file.display(), number + 1));
            }
        }
    }
    assert!(spelled.is_empty(), "spelled outside the contract:\n{}", spelled.join("\n"));
}

#[test]
fn each_published_crate_carries_what_publishing_needs() {
    for name in ["hub-otel", "hub-otel-macros"] {
        let folder = root().join(name);
        for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(read(folder.join(file)).len() > 200, "{name}/{file} is too short");
        }
        let manifest: toml::Table = read(folder.join("Cargo.toml")).parse().expect("a manifest");
        for key in [
            "description",
            "keywords",
            "categories",
            "license",
            "repository",
            "readme",
            "rust-version",
            "metadata",
        ] {
            assert!(
                manifest["package"].get(key).is_some(),
                "{name}/Cargo.toml lacks package.{key}"
            );
        }
    }
}

#[test]
fn no_library_crate_allows_unsafe_code() {
    let manifest: toml::Table =
        read(root().join("Cargo.toml")).parse().expect("the workspace's manifest");
    assert_eq!(manifest["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for name in ["hub-otel", "hub-otel-macros"] {
        let manifest: toml::Table =
            read(root().join(name).join("Cargo.toml")).parse().expect("a manifest");
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{name} must take the workspace's lints"
        );
    }
}
