//! Runbooks: one per alert, with the required headings and valid queries.

use crate::{files, observability, read};
use std::collections::BTreeSet;
use xtask::stack::alerts;
use xtask::stack::expression::faults;
use xtask::stack::known_series;

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
        assert!(alert.runbook_url().ends_with(&format!("observability/{}", alert.runbook())));
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
