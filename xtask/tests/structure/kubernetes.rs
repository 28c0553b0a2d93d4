//! kustomization.yaml and kubernetes/: names by which the objects and the service refer to each
//! other.

use crate::{files, list, read, text, yaml};
use serde_json::Value;
use std::collections::BTreeSet;

/// Objects of a file with several documents.
fn objects(path: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(&read(path))
        .map(|document| serde::Deserialize::deserialize(document).expect("YAML"))
        .collect()
}

fn object(kind: &str) -> Value {
    let found = objects("kubernetes/orchestrator.yaml").into_iter().find(|it| it["kind"] == kind);
    found.expect(kind)
}

#[test]
fn every_dashboard_is_in_the_kustomization() {
    let kustomization = yaml("kustomization.yaml");
    let listed: BTreeSet<String> = list(&kustomization["configMapGenerator"])
        .iter()
        .flat_map(|map| list(&map["files"]).iter().map(|file| text(file).to_owned()))
        .collect();
    let committed: BTreeSet<String> = files("grafana/dashboards", ".json")
        .iter()
        .map(|path| {
            format!("grafana/dashboards/{}", path.file_name().unwrap_or_default().to_string_lossy())
        })
        .collect();
    assert_eq!(listed, committed);
}

#[test]
fn the_container_gets_the_settings_and_the_secrets_that_compose_sets() {
    let container = &object("StatefulSet")["spec"]["template"]["spec"]["containers"][0];
    let compose = &yaml("compose.yaml")["services"]["orchestrator"];
    let set: BTreeSet<&str> =
        list(&container["env"]).iter().map(|variable| text(&variable["name"])).collect();
    for (name, _) in compose["environment"].as_object().expect("variables") {
        assert!(set.contains(name.as_str()), "{name} is not set");
    }
    for secret in list(&compose["secrets"]) {
        let secret = text(secret);
        let file = format!("/run/secrets/hub/{secret}");
        let mounted = list(&container["env"]).iter().any(|it| it["value"] == file.as_str());
        assert!(mounted, "no variable names {file}");
        let created = format!("--from-literal={secret}=");
        assert!(read("kustomization.yaml").contains(&created), "{secret} is not created");
    }
}

#[test]
fn the_telemetry_has_the_resource_attributes_that_compose_sets() {
    let container = &object("StatefulSet")["spec"]["template"]["spec"]["containers"][0];
    let compose = &yaml("compose.yaml")["services"]["orchestrator"]["environment"];
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let variables = list(&container["env"]);
    let set = variables.iter().find(|it| it["name"] == name).expect(name);
    for attribute in text(&compose[name]).split(',') {
        let (key, _) = attribute.split_once('=').expect("key=value");
        assert!(text(&set["value"]).contains(&format!("{key}=")), "{key} is not set");
    }
    // Kubernetes replaces `$(NAME)` by variables that are defined before.
    for part in text(&set["value"]).split("$(").skip(1) {
        let (used, _) = part.split_once(')').expect("a name");
        let names = variables.iter().map(|it| text(&it["name"])).take_while(|it| *it != name);
        assert!(names.into_iter().any(|it| it == used), "{used} is not defined before");
    }
}

#[test]
fn the_collectors_of_both_tiers_are_scraped_as_the_job_of_the_rules() {
    let monitors = objects("kubernetes/monitoring.yaml");
    let found = monitors.iter().find(|it| it["metadata"]["name"] == "otel-collector");
    let spec = &found.expect("a monitor")["spec"];
    let selected = &spec["selector"]["matchLabels"];
    // The other service is the chart's, whose labels are these.
    let service = yaml("scale-out/collector-sample.service.yaml");
    assert_eq!(selected, &service["metadata"]["labels"]);
    assert_eq!(selected["app.kubernetes.io/name"], "opentelemetry-collector");
    let endpoint = &spec["endpoints"][0];
    let ports = list(&service["spec"]["ports"]);
    assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{endpoint}");
    for tier in ["sample", "balance"] {
        let values = yaml(format!("scale-out/values/collector-{tier}.yaml"));
        assert_eq!(values["ports"]["metrics"]["enabled"], true, "{tier}");
    }
    let job = &endpoint["relabelings"][0];
    assert_eq!(job["targetLabel"], "job");
    let scraped = yaml("prometheus/prometheus.yml");
    let jobs = list(&scraped["scrape_configs"]);
    assert!(jobs.iter().any(|it| it["job_name"] == job["replacement"]), "{job}");
    assert_eq!(endpoint["interval"], scraped["global"]["scrape_interval"]);
}

#[test]
fn kube_prometheus_stack_selects_the_monitors_and_the_readme_has_its_external_labels() {
    let labels = &yaml("kustomization.yaml")["labels"];
    let release = list(labels).iter().any(|it| it["pairs"]["release"] == "kube-prometheus-stack");
    assert!(release, "{labels}");
    let readme = read("README.md");
    let values = readme.split("```yaml\nprometheus:\n").nth(1).expect("values of the chart");
    let values = format!("prometheus:\n{}", values.split("```").next().unwrap_or_default());
    let values: Value = serde_yaml_ng::from_str(&values).expect("YAML");
    let spec = &values["prometheus"]["prometheusSpec"];
    let own = yaml("prometheus/prometheus.yml");
    for label in [xtask::stack::alert::GRAFANA, xtask::stack::alert::RUNBOOKS] {
        assert!(own["global"]["external_labels"][label].is_string(), "{label}");
        assert!(spec["externalLabels"][label].is_string(), "{label}");
    }
    assert_eq!(spec["additionalAlertRelabelConfigs"], own["alerting"]["alert_relabel_configs"]);
}

#[test]
fn replicas_on_postgresql_have_the_settings_that_compose_sets() {
    let replicas = yaml("kubernetes/postgres/replicas.yaml");
    let container = &replicas["spec"]["template"]["spec"]["containers"][0];
    let compose = yaml("compose.yaml");
    let environment = |service: &str| {
        let variables = compose["services"][service]["environment"].as_object().expect("variables");
        variables.keys().cloned().collect::<BTreeSet<String>>()
    };
    let (alone, replica) = (environment("orchestrator"), environment("orchestrator-1"));
    let set: BTreeSet<&str> = list(&container["env"])
        .iter()
        .filter(|variable| variable["$patch"].is_null())
        .map(|variable| text(&variable["name"]))
        .collect();
    for name in replica.difference(&alone) {
        assert!(set.contains(name.as_str()), "{name} is not set");
    }
}

#[test]
fn a_browser_stays_at_one_replica() {
    let component = yaml("kubernetes/postgres/kustomization.yaml");
    let patches = list(&component["patches"]);
    let service = patches.iter().find(|it| it["target"]["kind"] == "Service").expect("a patch");
    assert!(text(&service["patch"]).contains("path: /spec/sessionAffinity\n  value: ClientIP"));
}

#[test]
fn the_job_of_the_scrape_is_the_one_that_the_rules_select() {
    let monitor = objects("kubernetes/monitoring.yaml").remove(0);
    let label = text(&monitor["spec"]["jobLabel"]);
    let service = object("Service");
    let job = text(&service["metadata"]["labels"][label]).to_owned();
    let scraped = yaml("prometheus/prometheus.yml");
    let jobs: Vec<&str> =
        list(&scraped["scrape_configs"]).iter().map(|it| text(&it["job_name"])).collect();
    assert!(jobs.contains(&job.as_str()), "{job} is not in {jobs:?}");
    let selected = &monitor["spec"]["selector"]["matchLabels"];
    assert_eq!(selected, &service["metadata"]["labels"]);
    assert_eq!(monitor["spec"]["endpoints"][0]["interval"], scraped["global"]["scrape_interval"]);
}
