//! compose.yaml: image versions, memory limits, published ports, secrets, health checks.

use crate::{list, observability, read, text, yaml};
use serde_json::Value;

fn services() -> Vec<(String, Value)> {
    let document = yaml("compose.yaml");
    document["services"]
        .as_object()
        .expect("services")
        .iter()
        .map(|(name, service)| (name.clone(), service.clone()))
        .collect()
}

#[test]
fn the_file_defines_five_services_and_the_applications_in_their_profiles() {
    let found: Vec<(String, Vec<Value>)> = services()
        .into_iter()
        .map(|(name, service)| (name, list(&service["profiles"]).to_vec()))
        .collect();
    let profile = |profile: &str| vec![Value::from(profile)];
    let expected = [
        ("otel-collector", vec![]),
        ("tempo", vec![]),
        ("loki", vec![]),
        ("prometheus", vec![]),
        ("grafana", vec![]),
        ("orchestrator", profile("app")),
        ("orchestrator-1", profile("postgres")),
        ("orchestrator-2", profile("postgres")),
        ("balancer", profile("postgres")),
        ("postgres", profile("postgres")),
    ];
    assert_eq!(found, expected.map(|(name, profiles)| (name.to_owned(), profiles)));
    let document = yaml("compose.yaml");
    assert!(document["version"].is_null(), "`version` is obsolete");
    assert!(
        !read("compose.yaml").contains("container_name"),
        "a fixed name forbids a second stack"
    );
}

#[test]
fn every_published_port_is_on_loopback_and_tempo_and_loki_publish_none() {
    for (name, service) in services() {
        for port in list(&service["ports"]) {
            assert!(text(port).starts_with("127.0.0.1:"), "{name}: {port}");
        }
        if matches!(name.as_str(), "tempo" | "loki") {
            assert!(service["ports"].is_null(), "{name}");
        }
        assert!(service["network_mode"].is_null(), "{name}");
    }
    let grafana = &yaml("compose.yaml")["services"]["grafana"];
    assert_eq!(grafana["ports"][0], "127.0.0.1:${GRAFANA_PORT:-3001}:3000");
}

#[test]
fn every_image_is_pinned_to_the_tested_version() {
    let images = |name: &str| text(&yaml("compose.yaml")["services"][name]["image"]).to_owned();
    assert_eq!(images("otel-collector"), "otel/opentelemetry-collector-contrib:0.165.0");
    assert_eq!(images("tempo"), "grafana/tempo:3.0.3");
    assert_eq!(images("loki"), "grafana/loki:3.7.8");
    assert_eq!(images("prometheus"), "prom/prometheus:v3.16.0");
    assert_eq!(images("grafana"), "grafana/grafana:13.2.3");
    assert_eq!(images("balancer"), "haproxy:3.2.4-alpine");
    // The major version of Debian, which the tests of the orchestrator run.
    assert_eq!(images("postgres"), "postgres:15.18-bookworm");
    assert!(!read("compose.yaml").contains("latest"));
    // The live tests run the versions that the file pins.
    assert!(read("tools/collector/builder.yaml").contains("version: 0.165.0"));
    assert!(read("tools/prometheus/go.mod").contains("github.com/prometheus/prometheus v0.316.0"));
    let permissive = yaml("compose.permissive.yaml");
    assert_eq!(permissive["services"]["alertmanager"]["image"], "prom/alertmanager:v0.34.1");
    assert!(read("tools/build").contains("\nalertmanager=0.34.1\n"));
}

#[test]
fn every_service_has_a_memory_limit_and_is_hardened_and_restarted() {
    for (name, service) in services() {
        assert!(
            service["deploy"]["resources"]["limits"]["memory"].is_string(),
            "{name}: no memory limit"
        );
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["privileged"].is_null() && service["user"] != "root", "{name}");
        // Grafana writes beside its data.
        assert_eq!(service["read_only"] == true, name != "grafana", "{name}");
        assert!(service["pids_limit"].is_number(), "{name}");
    }
}

#[test]
fn every_service_but_the_collector_has_a_health_check_that_dependents_wait_for() {
    for (name, service) in services() {
        // The image of the Collector contains no program that could run a health check.
        assert_eq!(service["healthcheck"].is_null(), name == "otel-collector", "{name}");
        if let Some(waits) = service["depends_on"].as_object() {
            for (on, how) in waits {
                let expected =
                    if on == "otel-collector" { "service_started" } else { "service_healthy" };
                assert_eq!(how["condition"], expected, "{name} → {on}");
            }
        }
    }
}

#[test]
fn secrets_are_files_created_by_init_and_the_file_contains_no_password() {
    let document = yaml("compose.yaml");
    let init = read("init");
    for (name, secret) in document["secrets"].as_object().expect("secrets") {
        assert_eq!(secret["file"], format!("./secrets/{name}"));
        assert!(init.contains(name.as_str()), "init does not create {name}");
    }
    for (name, service) in services() {
        for secret in list(&service["secrets"]) {
            assert!(document["secrets"][text(secret)].is_object(), "{name}: {secret}");
        }
        for (key, value) in service["environment"].as_object().into_iter().flatten() {
            let secret = ["PASSWORD", "TOKEN", "SECRET"].iter().any(|word| key.contains(word));
            assert!(!secret || text(value).starts_with("/run/secrets/"), "{name}: {key}");
        }
    }
    let grafana = &document["services"]["grafana"]["environment"];
    assert_eq!(grafana["GF_SECURITY_ADMIN_PASSWORD__FILE"], "/run/secrets/grafana_admin");
    assert_eq!(grafana["GF_AUTH_ANONYMOUS_ENABLED"], "false");
    assert_eq!(grafana["GF_ANALYTICS_REPORTING_ENABLED"], "false");
}

/// Sum of the memory limits of the services in MB, without those of a profile. A service that
/// extends another one has its limit.
fn sum_of_limits(file: &str) -> u64 {
    let of = |service: &Value| {
        let limit = service["deploy"]["resources"]["limits"]["memory"].as_str()?;
        limit.strip_suffix('M')?.parse::<u64>().ok()
    };
    let (document, shared) = (yaml(file), yaml("compose.yaml"));
    let services = document["services"].as_object().expect("services").iter();
    let services =
        services.filter(|(name, service)| *name != "orchestrator" && service["profiles"].is_null());
    let limits = services.map(|(name, service)| {
        let extended = service["extends"]["service"].as_str();
        let extended = extended.map(|name| &shared["services"][name]);
        of(service).or_else(|| of(extended?)).unwrap_or_else(|| panic!("{file}: {name}"))
    });
    limits.sum()
}

#[test]
fn the_readme_states_the_sum_of_the_memory_limits() {
    let readme = read("README.md");
    let row = readme.lines().find(|line| line.starts_with("| sum of the limits, MB |"));
    let row = row.expect("the row").replace(',', "");
    let stated: Vec<u64> = row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
    assert_eq!(stated, ["compose.yaml", "compose.permissive.yaml"].map(sum_of_limits));
}

#[test]
fn replicas_share_the_database_and_differ_in_nothing_else() {
    let services: std::collections::BTreeMap<String, Value> = services().into_iter().collect();
    assert_eq!(services["orchestrator-1"], services["orchestrator-2"]);
    let (alone, replica) = (&services["orchestrator"], &services["orchestrator-1"]);
    let mut environment = replica["environment"].clone();
    let variables = environment.as_object_mut().expect("variables");
    let url = variables.remove("HUB_DATABASE_URL_FILE").expect("a database");
    assert_eq!(url, "/run/secrets/database_url");
    // One engine for both, which the image contains.
    assert_eq!(variables.remove("HUB_ENGINE").expect("an engine"), "${HUB_ENGINE:-leases}");
    assert!(read("../examples/orchestrator/Dockerfile").contains("--features dbos"));
    variables.insert("HUB_DB".to_owned(), alone["environment"]["HUB_DB"].clone());
    assert_eq!(environment, alone["environment"]);
    assert!(list(&replica["ports"]).is_empty(), "only the balancer is published");
    let balancer = &services["balancer"];
    assert_eq!(balancer["ports"], alone["ports"]);
    assert_eq!(balancer["networks"]["observability"]["aliases"][0], "orchestrator");
    let allowed = text(&replica["environment"]["HUB_ALLOWED_HOST"]);
    for name in ["orchestrator-1", "orchestrator-2"] {
        assert!(read("balancer/haproxy.cfg").contains(&format!("{name}:9002")), "{name}");
        assert!(allowed.split(',').any(|host| host == name), "{name} is not in {allowed}");
    }
}

#[test]
fn mounted_files_exist_and_are_read_only() {
    for (name, service) in services() {
        for volume in list(&service["volumes"]) {
            let volume = text(volume);
            if let Some(path) = volume.strip_prefix("./") {
                let (path, _) = path.split_once(':').expect("a target");
                assert!(observability().join(path).exists(), "{name}: {path} does not exist");
                assert!(volume.ends_with(":ro,z"), "{name}: {volume}");
            }
        }
    }
}

#[test]
fn grafana_has_every_environment_variable_that_the_provisioning_uses() {
    let document = yaml("compose.yaml");
    let environment = &document["services"]["grafana"]["environment"];
    let mut provisioning = String::new();
    for file in ["datasources/stack.yaml", "dashboards/provider.yaml"] {
        provisioning += &read(format!("grafana/provisioning/{file}"));
    }
    provisioning += &read("grafana/forms/contact-points.yaml");
    for part in provisioning.replace("$${", "").split("${").skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        assert!(
            environment[name].is_string(),
            "compose.yaml does not set {name}: Grafana would not start"
        );
    }
}

#[test]
fn retention_is_thirty_days_of_metrics_and_seven_of_traces_and_logs() {
    assert_eq!(yaml("prometheus/prometheus.yml")["storage"]["tsdb"]["retention"]["time"], "30d");
    let tempo = yaml("tempo/tempo.yaml");
    assert_eq!(tempo["backend_worker"]["compaction"]["block_retention"], "168h");
    assert_eq!(
        tempo["backend_scheduler"]["provider"]["compaction"]["compaction"]["block_retention"],
        "168h"
    );
    let loki = yaml("loki/config.yaml");
    assert_eq!(loki["limits_config"]["retention_period"], "168h");
    assert_eq!(loki["compactor"]["retention_enabled"], true);
    assert_eq!(loki["compactor"]["delete_request_store"], "filesystem");
    assert_eq!(loki["schema_config"]["configs"][0]["schema"], "v13");
}

#[test]
fn the_collector_limits_memory_first_and_counts_its_queues_in_items() {
    let collector = yaml("collector/config.yaml");
    for (name, pipeline) in collector["service"]["pipelines"].as_object().expect("pipelines") {
        assert_eq!(pipeline["processors"][0], "memory_limiter", "{name}");
        for exporter in list(&pipeline["exporters"]) {
            let exporter = &collector["exporters"][text(exporter)];
            assert_eq!(exporter["sending_queue"]["sizer"], "items", "{name}");
            assert!(exporter["sending_queue"]["batch"].is_object(), "{name}");
            assert_eq!(exporter["retry_on_failure"]["enabled"], true, "{name}");
        }
    }
    assert!(collector["processors"]["batch"].is_null(), "the exporters batch");
    let text = read("collector/config.yaml");
    for wrong in ["otlphttp", "spanmetrics", "${ENVIRONMENT"] {
        assert!(!text.contains(wrong), "{wrong}");
    }
}

#[test]
fn every_job_reads_its_targets_from_a_file() {
    let prometheus = yaml("prometheus/prometheus.yml");
    let mut jobs = Vec::new();
    for job in list(&prometheus["scrape_configs"]) {
        let name = text(&job["job_name"]);
        assert!(job["static_configs"].is_null(), "{name}");
        assert_eq!(job["file_sd_configs"][0]["files"][0], format!("targets/{name}.yml"));
        // `init` writes the file of the service.
        let written = name == "orchestration-service";
        assert!(
            written || observability().join(format!("prometheus/targets/{name}.yml")).exists(),
            "{name}"
        );
        jobs.push(name.to_owned());
    }
    assert_eq!(
        jobs,
        [
            "orchestration-service",
            "prometheus",
            "otel-collector",
            "tempo",
            "loki",
            "grafana",
            "alertmanager",
            "jaeger",
            "victorialogs"
        ]
    );
    assert_eq!(prometheus["global"]["external_labels"]["cluster"], "commandcenter-hub");
}

#[test]
fn the_image_of_the_application_uses_the_toolchain_of_the_repository_and_does_not_run_as_root() {
    let read = |path: &str| {
        let path = xtask::files::root().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let (file, toolchain) = (read("examples/orchestrator/Dockerfile"), read("rust-toolchain.toml"));
    let channel = toolchain.split('"').nth(1).expect("a channel");
    assert!(file.contains(&format!("FROM rust:{channel}-bookworm AS build\n")), "{channel}");
    assert!(file.contains(&format!("ENV RUSTUP_TOOLCHAIN={channel}\n")), "{channel}");
    let last = file.rsplit("FROM ").next().expect("a last stage");
    assert!(
        last.starts_with("debian:bookworm-slim\n") && last.contains("\nUSER 10001\n"),
        "{last}"
    );
    assert!(
        last.contains("\nENTRYPOINT [\"orchestrator\"]"),
        "a shell would not forward the signal"
    );
}
