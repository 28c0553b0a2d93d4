//! Runbooks: one per alert, with the required headings and valid queries.

use crate::{files, observability, read, yaml};
use std::collections::BTreeSet;
use std::fs;
use xtask::files::root;
use xtask::stack::alert::Severity;
use xtask::stack::expression::faults;
use xtask::stack::known_series;
use xtask::stack::{alerts, dashboards};

#[test]
fn every_alert_has_a_runbook_with_meaning_first_query_first_action_and_prevention() {
    for alert in alerts::all() {
        let text = read(alert.runbook());
        assert!(
            text.starts_with(&format!("# {}\n", alert.name)),
            "{}: the title must be the name of the alert",
            alert.runbook()
        );
        for heading in ["## Meaning", "## First query", "## First action", "## Prevention"] {
            assert!(text.contains(heading), "{}: no {heading}", alert.runbook());
        }
        assert!(
            text.contains("It is over") || alert.severity == Severity::None,
            "{}: no sentence on the end",
            alert.runbook()
        );
        let action = text.split("## First action").nth(1).unwrap_or_default();
        assert!(
            ["curl ", "docker compose ", "docker stats", "./init "]
                .iter()
                .any(|it| action.contains(it)),
            "{}: no command in the first action",
            alert.runbook()
        );
        let panel = format!("d/alerts?viewPanel={}", dashboards::alert_panel(alert.name));
        assert!(text.contains(&panel), "{}: no link to {panel}", alert.runbook());
        assert_eq!(alert.runbook_url("runbooks"), alert.runbook());
    }
}

#[test]
fn every_runbook_belongs_to_an_alert() {
    let alerts: BTreeSet<String> =
        alerts::all().iter().map(xtask::stack::alert::Alert::runbook).collect();
    for path in files("runbooks", ".md") {
        let name =
            path.strip_prefix(observability()).expect("inside").to_string_lossy().into_owned();
        assert!(alerts.contains(&name), "{name} belongs to no alert");
    }
}

#[test]
fn the_queries_of_the_runbooks_use_existing_series_and_labels() {
    let known = known_series::all();
    for path in files("runbooks", ".md") {
        let text = read(&path);
        let mut queries = 0;
        for block in text.split("```promql\n").skip(1) {
            let query = block.split("```").next().unwrap_or_default().trim();
            let wrong = faults(query, &known);
            assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("; "));
            queries += 1;
        }
        assert!(queries > 0, "{}: no query", path.display());
    }
}

#[test]
fn the_commands_of_the_runbooks_use_existing_series_and_routes() {
    let known = known_series::all();
    let api = ["runs", "workflows", "approvals"].map(|file| {
        let path = root().join(format!("examples/orchestrator/src/api/{file}.rs"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    let (mut queries, mut routes) = (0, 0);
    for path in files("runbooks", ".md") {
        let text = read(&path);
        for part in text.split("--data-urlencode 'query=").skip(1) {
            let query = part.split('\'').next().unwrap_or_default();
            let wrong = faults(query, &known);
            assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("; "));
            queries += 1;
        }
        for part in text.split("/api/").skip(1).filter(|part| !part.starts_with("v1/")) {
            let end = |it: char| it.is_whitespace() || "?`'\",".contains(it);
            let route = part.split(end).next().unwrap_or_default();
            let route = route.replace('<', "{").replace('>', "}");
            let declared = format!("path = \"/api/{route}\"");
            assert!(
                api.iter().any(|source| source.contains(&declared)),
                "{}: no route /api/{route}",
                path.display()
            );
            routes += 1;
        }
    }
    assert!(queries > 10 && routes > 4, "{queries} queries, {routes} routes");
}

/// Returns the words of a text that begin with a prefix, up to a character that no name contains.
fn words<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let outside = |it: char| !it.is_ascii_alphanumeric() && !"_-/.".contains(it);
    let all = text.split(outside).map(|word| word.trim_end_matches('.'));
    all.filter(|word| word.starts_with(prefix) && *word != prefix).collect()
}

#[test]
fn the_runbooks_name_existing_exporters_secrets_settings_and_services() {
    let collector = yaml("collector/config.yaml");
    let (complete, permissive) = (yaml("compose.yaml"), yaml("compose.permissive.yaml"));
    let settings = read("compose.yaml") + &read("collector/config.yaml") + &read(".env.example");
    let mut found = [0; 4];
    for path in files("runbooks", ".md") {
        let text = read(&path);
        let path = path.display();
        for exporter in words(&text, "otlp_http/") {
            assert!(collector["exporters"][exporter].is_object(), "{path}: no exporter {exporter}");
            found[0] += 1;
        }
        for secret in words(&text, "secrets/") {
            let declared = &complete["secrets"][secret.trim_start_matches("secrets/")];
            assert!(declared.is_object(), "{path}: no {secret}");
            found[1] += 1;
        }
        for setting in ["HUB_", "ALERT_", "GRAFANA_"].iter().flat_map(|it| words(&text, it)) {
            assert!(settings.contains(setting), "{path}: no setting {setting}");
        }
        for command in text.split("docker compose ").skip(1) {
            let command = command.split(['`', '|', ';', ')', '\'']).next().unwrap_or_default();
            let command: Vec<&str> = command.split_whitespace().collect();
            let variant =
                if command.contains(&"compose.permissive.yaml") { &permissive } else { &complete };
            let is_verb = |it: &&str| ["logs", "up", "restart", "exec", "ps", "stop"].contains(it);
            let Some(verb) = command.iter().position(is_verb) else { continue };
            for word in &command[verb + 1..] {
                // The value of an option is a number; a placeholder is no name.
                let is_name = word.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
                if is_name && !word.starts_with('-') {
                    assert!(variant["services"][word].is_object(), "{path}: no service {word}");
                    found[2] += 1;
                }
                if command[verb] == "exec" {
                    break;
                }
            }
        }
        for file in ["loki/", "tempo/", "collector/", "prometheus/", "grafana/", "alertmanager/"]
            .iter()
            .flat_map(|folder| words(&text, folder))
            .filter(|file| file.ends_with(".yaml") || file.ends_with(".yml"))
        {
            // Written by `init`.
            let written = file == "prometheus/targets/orchestration-service.yml";
            assert!(written || observability().join(file).exists(), "{path}: no file {file}");
            found[3] += 1;
        }
    }
    assert!(found.iter().all(|count| *count >= 2), "{found:?}");
}
