//! Rules that a case reads. promtool evaluates each rule of a file at each step, so that the rules
//! that a case does not read take most of the time.

use crate::promtool::{checks, promtool};
use serde_json::Value;
use std::fs;

/// Rule file: its name and its content.
pub(crate) type RuleFile = (String, String);

/// Reports whether a case checks the alert.
pub(crate) fn concerns(case: &Value, name: &str) -> bool {
    checks(case).any(|check| concerns_all(check) || check.to_string().contains(name))
}

/// Reports whether a check is of all alerts.
pub(crate) fn concerns_all(check: &Value) -> bool {
    ["ALERTS", r#"ALERTS{alertstate="firing"}"#].map(Value::from).contains(&check["expr"])
}

/// Returns the name of a rule file of a case, which names it relative to the folder of cases.
pub(crate) fn name_of(path: &Value) -> &str {
    path.as_str().and_then(|path| path.strip_prefix("../rules/")).expect("a rule file")
}

/// Removes the alerts that a case does not check, and the recording rules that it does not read.
fn pruned(files: &[RuleFile], case: &Value) -> Vec<RuleFile> {
    let mut documents: Vec<(&str, Value)> = files
        .iter()
        .map(|(name, text)| (&**name, serde_yaml_ng::from_str(text).expect("YAML")))
        .collect();
    let mut read: String = checks(case).map(Value::to_string).collect();
    let mut kept: Vec<Value> = Vec::new();
    loop {
        let before = kept.len();
        for rule in documents.iter().flat_map(|(_, document)| rules(document)) {
            let wanted = match rule["alert"].as_str() {
                Some(alert) => concerns(case, alert),
                None => read.contains(rule["record"].as_str().expect("a name")),
            };
            if wanted && !kept.contains(rule) {
                read += rule["expr"].as_str().expect("an expression");
                kept.push(rule.clone());
            }
        }
        if kept.len() == before {
            break;
        }
    }
    for (_, document) in &mut documents {
        for group in document["groups"].as_array_mut().expect("groups") {
            group["rules"].as_array_mut().expect("rules").retain(|rule| kept.contains(rule));
        }
    }
    documents
        .into_iter()
        .map(|(name, document)| {
            (name.to_owned(), serde_yaml_ng::to_string(&document).expect("YAML"))
        })
        .collect()
}

fn rules(document: &Value) -> impl Iterator<Item = &Value> {
    let groups = document["groups"].as_array().expect("groups").iter();
    groups.flat_map(|group| group["rules"].as_array().expect("rules"))
}

/// Runs a file with one case on rule files, and returns the output of promtool if it fails.
pub(crate) fn failure(file: &Value, rule_files: &[RuleFile]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for inner in ["rules", "tests"] {
        fs::create_dir(folder.path().join(inner)).expect("a folder");
    }
    for (name, content) in pruned(rule_files, &file["tests"][0]) {
        fs::write(folder.path().join("rules").join(name), content).expect("written");
    }
    let test = "tests/case.test.yml";
    fs::write(folder.path().join(test), serde_yaml_ng::to_string(file).expect("YAML"))
        .expect("written");
    let output = promtool(&["test", "rules", test], folder.path());
    (!output.status.success()).then(|| crate::text_of(&output))
}
