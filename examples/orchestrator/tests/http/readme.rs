//! The panels that the README names exist.

use std::collections::BTreeMap;

use serde_json::Value;

/// Titles of the panels of each dashboard, including those in rows.
fn dashboards() -> BTreeMap<String, Vec<String>> {
    fn titles(panels: &Value, found: &mut Vec<String>) {
        for panel in panels.as_array().into_iter().flatten() {
            found.extend(panel["title"].as_str().map(str::to_owned));
            titles(&panel["panels"], found);
        }
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../observability/grafana/dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let dashboard: Value =
                serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let mut found = Vec::new();
            titles(&dashboard["panels"], &mut found);
            (dashboard["title"].as_str().unwrap().to_owned(), found)
        })
        .collect()
}

#[test]
fn every_panel_in_the_readme_is_on_its_dashboard() {
    let dashboards = dashboards();
    let mut checked = 0;
    for line in
        include_str!("../../README.md").lines().filter_map(|line| line.strip_prefix("- Panels: "))
    {
        for part in line.trim_end_matches('.').split("; ") {
            let (dashboard, panels) = part.split_once("* → ").unwrap();
            let dashboard = &dashboards[dashboard.trim_start_matches('*')];
            for panel in panels.split(", ") {
                let panel = panel.split(" (").next().unwrap();
                assert!(
                    dashboard.iter().any(|title| title == panel),
                    "`{panel}` is none of {dashboard:?}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 12, "{checked}");
}
