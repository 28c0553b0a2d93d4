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

fn read(folder: &Path, file: &str) -> Output {
    tool("compose-spec", &["-format", "json", file], folder, &[])
}

fn model(folder: &Path, file: &str) -> Value {
    let output = read(folder, file);
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
    let model = model(&copy, "compose.yaml");
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
    let model = model(&copy, "compose.yaml");
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
    let model = model(&copy, "compose.yaml");
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
    let output = read(&copy, "compose.yaml");
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
    let model = model(&copy, "compose.permissive.yaml");
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

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn all_that_a_service_uses_is_declared_in_each_file_and_profile() {
    let (_folder, copy) = initialised("app");
    for file in ["compose.yaml", "compose.permissive.yaml"] {
        let model = model(&copy, file);
        let mut used = 0;
        for (name, service) in services(&model) {
            let keys = |key: &str| service[key].as_object().into_iter().flatten();
            let volumes = entries(&service["volumes"]).iter().filter(|it| it["type"] == "volume");
            let sources = entries(&service["secrets"])
                .iter()
                .map(|secret| ("secrets", &secret["source"]))
                .chain(volumes.map(|volume| ("volumes", &volume["source"])))
                .map(|(section, name)| (section, name.as_str().expect("a name")));
            let names = keys("networks")
                .map(|(name, _)| ("networks", name.as_str()))
                .chain(keys("depends_on").map(|(name, _)| ("services", name.as_str())));
            for (section, declared) in sources.chain(names) {
                assert!(
                    model[section].get(declared).is_some(),
                    "{file}: {name} uses {declared}, which `{section}` does not declare"
                );
                used += 1;
            }
        }
        assert!(used >= 25, "{file}: {used}");
    }
}

/// Returns the value of a flag in the command of a service.
fn flag<'a>(model: &'a Value, service: &str, name: &str) -> &'a str {
    let command = entries(&model["services"][service]["command"]);
    let value = |it: &'a Value| it.as_str()?.strip_prefix(name)?.strip_prefix('=');
    command.iter().rev().find_map(value).unwrap_or_else(|| panic!("{service} without {name}"))
}

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn links_lead_to_the_published_ports() {
    let (_folder, copy) = initialised("app");
    let files = ["compose.yaml", "compose.permissive.yaml"];
    let addresses = || {
        let [complete, permissive] = files.map(|file| model(&copy, file));
        let of = |model: &Value, service: &str, name: &str| {
            let environment = &model["services"][service]["environment"];
            // A service that extends another one has a list.
            let listed = entries(environment).iter().rev();
            let mut listed =
                listed.filter_map(|it| it.as_str()?.strip_prefix(name)?.strip_prefix('='));
            let value = environment[name].as_str().or_else(|| listed.next());
            value.unwrap_or_else(|| panic!("{service} without {name}")).to_owned()
        };
        assert_eq!(
            of(&complete, "grafana", "GRAFANA_URL"),
            of(&complete, "grafana", "GF_SERVER_ROOT_URL")
        );
        let external = "--web.external-url";
        assert_eq!(
            flag(&complete, "prometheus", external),
            flag(&permissive, "prometheus", external)
        );
        for service in ["prometheus", "alertmanager"] {
            assert_eq!(flag(&permissive, service, "--web.route-prefix"), "/");
        }
        [
            of(&complete, "prometheus", "GRAFANA_URL"),
            of(&permissive, "prometheus", "GRAFANA_URL"),
            flag(&permissive, "prometheus", external).to_owned(),
            flag(&permissive, "alertmanager", external).to_owned(),
        ]
    };
    let of_ports = |[grafana, perses, prometheus, alertmanager]: [u16; 4]| {
        [
            format!("http://localhost:{grafana}"),
            format!("http://localhost:{perses}/projects/commandcenter"),
            format!("http://localhost:{prometheus}"),
            format!("http://localhost:{alertmanager}"),
        ]
    };
    let ports = [3001, 8080, 9090, 9093];
    assert_eq!(addresses(), of_ports(ports));
    let example = fs::read_to_string(copy.join(".env.example")).expect("there");
    let mut ports = ports.into_iter();
    for name in ["GRAFANA", "PERSES", "PROMETHEUS", "ALERTMANAGER"] {
        assert!(example.contains(&format!("\n{name}_URL=\n")), "the default is the port");
        let port = ports.next().expect("four ports");
        assert!(example.contains(&format!("\n{name}_PORT={port}\n")), "{name}");
        for file in files.map(|file| copy.join(file)) {
            let text = fs::read_to_string(&file).expect("there");
            let default = format!("${{{name}_PORT:-{port}}}");
            fs::write(&file, text.replace(&default, &(port + 10_000).to_string())).expect("edited");
        }
    }
    assert_eq!(addresses(), of_ports([13001, 18080, 19090, 19093]));
}

#[test]
#[ignore = "needs compose-spec: observability/tools/build"]
fn the_service_that_delivers_alerts_reaches_a_webhook_on_the_host() {
    let (_folder, copy) = initialised("host");
    for (file, service) in
        [("compose.yaml", "grafana"), ("compose.permissive.yaml", "alertmanager")]
    {
        let hosts = entries(&model(&copy, file)["services"][service]["extra_hosts"]).to_vec();
        assert_eq!(hosts, ["host.docker.internal:host-gateway"], "{file}: {service}");
    }
    let routes = fs::read_to_string(copy.join("alertmanager/alertmanager.yml")).expect("written");
    assert!(routes.contains("http://host.docker.internal:9003/"), "{routes}");
}
