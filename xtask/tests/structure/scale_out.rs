//! Names in scale-out/ by which the components refer to each other.

use crate::{files, list, read, text, yaml};
use serde_json::Value;

fn values(name: &str) -> Value {
    yaml(format!("scale-out/values/{name}.yaml"))
}

fn variable(values: &Value, name: &str) -> Option<String> {
    let found = list(&values["extraEnvs"]).iter().find(|variable| variable["name"] == name)?;
    found["value"].as_str().map(str::to_owned)
}

#[test]
fn the_first_tier_lists_every_replica_of_the_second_by_its_name() {
    let sample = values("collector-sample");
    let service = yaml("scale-out/collector-sample.service.yaml");
    let set = text(&sample["fullnameOverride"]);
    assert_eq!(
        service["metadata"]["name"], set,
        "the replicas have names only in the service of the set"
    );
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(
        sample["service"]["enabled"], false,
        "the service of the chart would have the same name"
    );
    let replicas = sample["replicaCount"].as_u64().expect("a number");
    let names: Vec<String> =
        (0..replicas).map(|replica| format!("{set}-{replica}.{set}:4317")).collect();
    let listed = variable(&values("collector-balance"), "HUB_TIER2").expect("the list");
    assert_eq!(listed, format!("[{}]", names.join(", ")));
}

#[test]
fn both_tiers_use_the_tested_version_and_their_config_maps() {
    for tier in ["collector-balance", "collector-sample"] {
        let values = values(tier);
        assert_eq!(values["image"]["tag"], "0.159.0", "{tier}");
        assert_eq!(values["configMap"]["existingName"], tier);
        assert_eq!(values["fullnameOverride"], tier);
        assert!(
            read("README.md").contains("collector-$tier --from-file=relay=collector-$tier.yaml")
        );
    }
    assert!(read("tools/collector-scale-out/builder.yaml").contains("version: 0.159.0"));
}

#[test]
fn the_token_and_the_queue_are_mounted_at_the_configured_paths() {
    let sample = values("collector-sample");
    let file = variable(&sample, "HUB_INGEST_TOKEN_FILE").expect("the file");
    let mounts = list(&sample["extraVolumeMounts"]);
    let path = |name: &str| {
        let mount = mounts.iter().find(|mount| mount["name"] == name).expect(name);
        text(&mount["mountPath"]).to_owned()
    };
    assert_eq!(file, format!("{}/ingest_token", path("ingest-token")));
    assert!(
        read("scale-out/collector-sample.yaml")
            .contains(&format!("${{env:HUB_QUEUE_DIR:-{}}}", path("queue")))
    );
    // The user of the image is 10001. Without this setting, root owns the volume.
    assert_eq!(sample["podSecurityContext"]["fsGroup"], 10001);
    assert_eq!(sample["statefulset"]["volumeClaimTemplates"][0]["metadata"]["name"], "queue");
}

#[test]
fn tempo_has_the_address_of_its_queue() {
    let tempo = values("tempo");
    let kafka = &tempo["tempo"]["structuredConfig"]["ingest"]["kafka"];
    let (host, port) = text(&kafka["address"]).split_once(':').expect("host and port");
    assert!(!host.is_empty() && port.parse::<u16>().is_ok(), "{kafka}");
    assert!(!text(&kafka["topic"]).is_empty(), "{kafka}");
}

#[test]
fn the_sampler_holds_the_traces_of_its_wait_within_the_limit_of_its_container() {
    let sampler = yaml("scale-out/collector-sample.yaml");
    let sampling = &sampler["processors"]["tail_sampling"];
    assert_eq!(sampling["decision_wait"], "${env:HUB_DECISION_WAIT:-300s}");
    // 100 traces per second for 300 seconds. `just stack-full` measures their memory.
    assert_eq!(sampling["num_traces"], 30_000);
    assert_eq!(values("collector-sample")["resources"]["limits"]["memory"], "512Mi");
}

#[test]
fn every_command_of_a_values_file_is_in_the_readme() {
    let readme = read("README.md");
    for path in files("scale-out/values", ".yaml") {
        let text = read(&path);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let install =
            text.lines().find_map(|line| line.strip_prefix("# helm install ")).expect("a command");
        let chart = install.split_whitespace().nth(1).expect("a chart");
        assert!(readme.contains(chart), "{name}: {chart}");
        assert!(
            readme.contains(&format!("values/{name}.yaml")) || name.starts_with("collector-"),
            "{name}"
        );
    }
}
