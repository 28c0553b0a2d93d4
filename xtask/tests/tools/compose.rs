//! compose.yaml, parsed by compose-go: checked against the schema, with anchors and paths resolved.
//!
//! compose.permissive.yaml extends it.
//!
//! The parser reads neither `.env` nor the environment, so that every variable has its default.

use crate::copied::copied;
use crate::{text_of, tool};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Copies the committed files and runs `init`.
fn initialised(way: &str) -> (TempDir, PathBuf) {
    let (folder, copy) = copied();
    let init = Command::new("sh").arg(copy.join("init")).arg(way).output().expect("sh runs");
    assert!(init.status.success(), "{}", text_of(&init));
    (folder, copy)
}

fn read(folder: &Path) -> Output {
    tool("compose-spec", &["-format", "json", "compose.yaml"], folder, &[])
}

fn model(folder: &Path) -> Value {
    let output = read(folder);
    assert!(output.status.success(), "{}", text_of(&output));
    assert!(output.stderr.is_empty(), "a warning: {}", text_of(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn services(model: &Value) -> impl Iterator<Item = (&String, &Value)> {
    model["services"].as_object().expect("services").iter()
}

fn entries(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn the_file_parses_without_a_warning_and_publishes_on_loopback_only() {
    let (_folder, copy) = initialised("app");
    let model = model(&copy);
    let mut published = Vec::new();
    for (name, service) in services(&model) {
        for port in entries(&service["ports"]) {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
            published.push(format!("{} {name}", port["published"].as_str().unwrap_or_default()));
        }
    }
    published.sort();
    assert_eq!(
        published,
        [
            "13133 otel-collector",
            "3001 grafana",
            "4317 otel-collector",
            "4318 otel-collector",
            "9002 balancer",
            "9002 orchestrator",
            "9090 prometheus"
        ]
    );
}

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn every_mounted_file_and_the_build_context_exist_after_init() {
    let (_folder, copy) = initialised("app");
    let model = model(&copy);
    let assert_exists = |path: &Value| {
        let path = Path::new(path.as_str().expect("a path"));
        assert!(path.exists(), "{} does not exist", path.display());
    };
    let mut mounts = 0;
    for (_, service) in services(&model) {
        for volume in entries(&service["volumes"]).iter().filter(|volume| volume["type"] == "bind")
        {
            assert_exists(&volume["source"]);
            assert_eq!(volume["read_only"], true, "{volume}");
            mounts += 1;
        }
    }
    assert!(mounts >= 6, "{mounts}");
    model["secrets"]
        .as_object()
        .expect("secrets")
        .values()
        .for_each(|secret| assert_exists(&secret["file"]));
    let build = &model["services"]["orchestrator"]["build"];
    let context = Path::new(build["context"].as_str().expect("a context"));
    assert!(context.join(build["dockerfile"].as_str().expect("a file")).exists(), "{build}");
}

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn without_an_env_file_every_variable_has_the_value_of_the_example() {
    let (_folder, copy) = initialised("app");
    let model = model(&copy);
    let example = fs::read_to_string(copy.join(".env.example")).expect("there");
    let variable =
        |service: &str, name: &str| model["services"][service]["environment"][name].clone();
    for (name, found) in [
        ("ENVIRONMENT", variable("prometheus", "ENVIRONMENT")),
        ("ENVIRONMENT", variable("otel-collector", "ENVIRONMENT")),
        ("ALERT_WEBHOOK_URL", variable("grafana", "ALERT_WEBHOOK_URL")),
    ] {
        let value = example
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .expect(name);
        assert_eq!(found, value, "{name}");
    }
}

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn an_unknown_key_is_rejected() {
    let (_folder, copy) = initialised("app");
    let file = copy.join("compose.yaml");
    let text = fs::read_to_string(&file).expect("there");
    fs::write(&file, text.replace("healthcheck:", "helthcheck:")).expect("edited");
    let output = read(&copy);
    assert!(
        !output.status.success() && text_of(&output).contains("helthcheck"),
        "{}",
        text_of(&output)
    );
}

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn the_permissive_file_mounts_existing_files_and_waits_for_its_own_services() {
    let (_folder, copy) = initialised("app");
    let arguments = ["-format", "json", "compose.permissive.yaml"];
    let output = tool("compose-spec", &arguments, &copy, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text_of(&output));
    let model: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut names: Vec<&String> = services(&model).map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "alertmanager",
            "jaeger",
            "orchestrator",
            "otel-collector",
            "perses",
            "prometheus",
            "victorialogs"
        ]
    );
    for (name, service) in services(&model) {
        let image = service["image"].as_str().expect("an image");
        assert!(!image.ends_with(":latest") && image.contains(':'), "{name}: {image}");
        assert_eq!(service["read_only"], true, "{name}");
        assert!(service["deploy"]["resources"]["limits"]["memory"].is_string(), "{name}");
        for on in service["depends_on"].as_object().into_iter().flatten().map(|(on, _)| on) {
            assert!(names.contains(&on), "{name} waits for {on}");
        }
        for port in entries(&service["ports"]) {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
        }
        for volume in entries(&service["volumes"]).iter().filter(|volume| volume["type"] == "bind")
        {
            let path = Path::new(volume["source"].as_str().expect("a path"));
            assert!(path.exists(), "{name}: {}", path.display());
        }
    }
}
