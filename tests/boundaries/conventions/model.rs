//! The model of the conventions, read from the documentation of the constants in their crate:
//! metrics with attributes and requirement levels, attributes with types.

use super::rules::Type;
use std::collections::BTreeMap;
use std::process::Command;

/// The requirement level of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Required,
    ConditionallyRequired,
    Recommended,
    OptIn,
}

/// A metric of the conventions.
#[derive(Debug, Default)]
pub(super) struct MetricModel {
    pub(super) instrument: String,
    pub(super) unit: String,
    pub(super) attributes: BTreeMap<String, Level>,
}

/// Every metric and every attribute of the conventions.
pub(super) struct Model {
    pub(super) schema: String,
    metrics: BTreeMap<String, MetricModel>,
    /// The types of attributes, by the examples of each.
    pub(super) types: BTreeMap<String, Type>,
}

impl Model {
    pub(super) fn read() -> Self {
        let folder = source();
        let read = |name: &str| {
            std::fs::read_to_string(format!("{folder}/src/{name}")).expect("the crate's source")
        };
        let constants = constants(&read("attribute.rs"));
        let mut metrics = BTreeMap::new();
        let mut model_metric = MetricModel::default();
        for line in read("metric.rs").replace("=\n    \"", "= \"").lines() {
            if let Some(value) = line.strip_prefix("/// | Instrument: | `") {
                model_metric = MetricModel {
                    instrument: value.split('`').next().unwrap_or_default().into(),
                    ..MetricModel::default()
                };
            } else if let Some(value) = line.strip_prefix("/// | Unit: | `") {
                model_metric.unit = value.split('`').next().unwrap_or_default().into();
            } else if let Some(row) = line.strip_prefix("/// | [`crate::attribute::") {
                let (constant, rest) = row.split_once("`]").expect("a row of attributes");
                let level = match rest {
                    _ if rest.contains("`Required`") => Level::Required,
                    _ if rest.contains("`Conditionally_required`") => Level::ConditionallyRequired,
                    _ if rest.contains("`Opt_in`") => Level::OptIn,
                    _ => Level::Recommended,
                };
                model_metric
                    .attributes
                    .insert(constants.get(constant).expect("its constant").clone(), level);
            } else if let Some((_, name)) = constant(line) {
                metrics.insert(name.to_owned(), std::mem::take(&mut model_metric));
            }
        }
        assert!(
            metrics.len() > 50,
            "the documentation has another shape: {} metrics",
            metrics.len()
        );
        let library = read("lib.rs");
        let schema =
            library.lines().find_map(|line| line.strip_prefix("pub const SCHEMA_URL: &str = \""));
        let schema = schema.expect("the schema").trim_end_matches("\";").to_owned();
        Self { schema, metrics, types: types(&read("attribute.rs")) }
    }

    pub(super) fn metric(&self, name: &str) -> &MetricModel {
        self.metrics.get(name).unwrap_or_else(|| panic!("the conventions know no {name}"))
    }
}

/// Reads the types from the examples: a quoted string, a number or a list over several lines. An
/// enum has no examples.
fn types(source: &str) -> BTreeMap<String, Type> {
    let mut types = BTreeMap::new();
    let mut example = None;
    for line in source.replace("=\n    \"", "= \"").lines() {
        if line == "/// # Examples" {
            example = None;
        } else if let Some(value) = line.strip_prefix("/// - `") {
            example.get_or_insert(match value.as_bytes().first() {
                Some(b'"') => Type::Text,
                Some(b'[') => Type::Texts,
                _ => Type::Int,
            });
        } else if let Some((_, key)) = constant(line) {
            types.insert(key.to_owned(), example.take().unwrap_or(Type::Text));
        } else if !line.starts_with("///") && !line.starts_with('#') {
            example = None;
        }
    }
    types
}

/// `pub const NAME: &str = "value";`
fn constant(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
    Some((name, value.strip_suffix("\";")?))
}

fn constants(source: &str) -> BTreeMap<String, String> {
    // A long constant is on two lines.
    source
        .replace("=\n    \"", "= \"")
        .lines()
        .filter_map(constant)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Returns the source of the crate that this workspace is built with.
fn source() -> String {
    let version = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo's version");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo's host");
    // What other platforms need may never have been downloaded.
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--locked",
            "--filter-platform",
            host,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package =
        packages.iter().find(|package| package["name"] == "opentelemetry-semantic-conventions");
    let manifest =
        package.expect("the conventions' crate")["manifest_path"].as_str().expect("its path");
    manifest.strip_suffix("/Cargo.toml").expect("a manifest").to_owned()
}
