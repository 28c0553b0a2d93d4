//! kustomization.yaml, built by kustomize and decoded with the types of Kubernetes and
//! prometheus-operator.

use crate::tool;
use std::fs;
use std::path::Path;
use std::process::Output;
use xtask::files::root;

fn check(folder: &Path) -> Output {
    tool("kubernetes-check", &["."], folder, &[])
}

/// Copies the kustomization and the files it names.
fn copied(to: &Path) {
    let from = root().join("observability");
    fs::copy(from.join("kustomization.yaml"), to.join("kustomization.yaml")).expect("copied");
    for folder in ["kubernetes", "grafana/dashboards"] {
        fs::create_dir_all(to.join(folder)).expect("a folder");
        for entry in fs::read_dir(from.join(folder)).expect("files") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                continue;
            }
            fs::copy(&path, to.join(folder).join(path.file_name().expect("a name")))
                .expect("copied");
        }
    }
}

#[test]
#[ignore = "needs kubernetes-check: just stack-check"]
fn every_object_has_only_fields_of_its_kind() {
    let output = check(&root().join("observability"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let objects = String::from_utf8_lossy(&output.stdout);
    for object in [
        "Service orchestrator",
        "StatefulSet orchestrator",
        "ServiceMonitor orchestrator",
        "ServiceMonitor otel-collector",
        "PrometheusRule hub-otel",
        "ConfigMap dashboard-slo",
    ] {
        assert!(objects.lines().any(|line| line == object), "{object} is not in\n{objects}");
    }
}

#[test]
#[ignore = "needs kubernetes-check: just stack-check"]
fn the_component_of_postgresql_is_applied_by_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    copied(folder.path());
    let component = folder.path().join("kubernetes/postgres");
    fs::create_dir_all(&component).expect("a folder");
    for entry in fs::read_dir(root().join("observability/kubernetes/postgres")).expect("files") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, component.join(path.file_name().expect("a name"))).expect("copied");
    }
    let file = folder.path().join("kustomization.yaml");
    let text = fs::read_to_string(&file).expect("a file");
    let line = "# components: [kubernetes/postgres]";
    assert!(text.contains(line), "{text}");
    fs::write(&file, text.replace(line, &line[2..])).expect("written");
    let output = check(folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let objects = String::from_utf8_lossy(&output.stdout);
    for object in ["StatefulSet orchestrator", "PodDisruptionBudget orchestrator"] {
        assert!(objects.lines().any(|line| line == object), "{object} is not in\n{objects}");
    }
    let replicas = component.join("replicas.yaml");
    let text = fs::read_to_string(&replicas).expect("a file");
    fs::write(&replicas, text.replace("maxSkew", "maximumSkew")).expect("written");
    let error = String::from_utf8_lossy(&check(folder.path()).stderr).into_owned();
    assert!(error.contains("maximumSkew"), "{error}");
}

#[test]
#[ignore = "needs kubernetes-check: just stack-check"]
fn a_misspelt_field_and_a_missing_file_are_reported() {
    for (file, from, to, expected) in [
        ("kubernetes/orchestrator.yaml", "serviceName:", "serviceNames:", "serviceNames"),
        ("kubernetes/monitoring.yaml", "scrapeTimeout:", "scrape_timeout:", "scrape_timeout"),
        ("kubernetes/rules.yaml", "query_offset:", "queryOffset:", "queryOffset"),
        ("kustomization.yaml", "dashboards/slo.json", "dashboards/none.json", "none.json"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        copied(folder.path());
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).expect("written");
        let output = check(folder.path());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{file}: {error}");
    }
}
