//! The families of `/metrics`, with the contract's names.
//!
//! The SDK's exporter renders the counter `workflow.runs.total` as `workflow_runs_total_total`, and its switch for that
//! strips `_total` from every counter. The names are corrected here and nowhere else.

use crate::semconv::METRICS;
use crate::semconv::attribute::label::OVERFLOW_PROMETHEUS;
use crate::telemetry::redaction::{DenyList, REDACTED};
use prometheus::proto::LabelPair;
use prometheus::proto::Metric;
use prometheus::proto::MetricFamily;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// Renames `families`, takes secrets out of labels, and names the metrics that overflowed.
pub(crate) fn correct(
    families: Vec<MetricFamily>,
    deny: &DenyList,
) -> (Vec<MetricFamily>, Vec<String>) {
    let mut by_name: BTreeMap<String, MetricFamily> = BTreeMap::new();
    let mut overflowed = Vec::new();
    for mut family in families {
        let name = contract_name(family.name());
        family.set_name(name.clone());
        name_labels(family.mut_metric());
        if redact(family.mut_metric(), deny) {
            number_duplicates(family.mut_metric());
        }
        let over = family.get_metric().iter().any(|metric| {
            metric.get_label().iter().any(|label| label.name() == OVERFLOW_PROMETHEUS)
        });
        if over {
            overflowed.push(name.clone());
        }
        match by_name.get_mut(&name) {
            None => {
                by_name.insert(name, family);
            }
            // Two instruments whose names became one: their series stand together, or the text would not parse.
            Some(first) if first.get_field_type() == family.get_field_type() => {
                first.mut_metric().extend(family.take_metric());
            }
            Some(_) => {}
        }
    }
    (by_name.into_values().filter(|family| !family.get_metric().is_empty()).collect(), overflowed)
}

/// The name under which a family is read.
fn contract_name(rendered: &str) -> String {
    let name = rendered
        .strip_suffix("_total_total")
        .map_or_else(|| rendered.to_owned(), |name| format!("{name}_total"));
    debug_assert!(!METRICS.iter().any(|metric| metric.prometheus == rendered && rendered != name));
    name
}

/// A name that is empty or begins with a digit is no label's: one would make the whole scrape unreadable.
fn name_labels(metrics: &mut [Metric]) {
    let wrong = |label: &LabelPair| {
        !label.name().starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    };
    for metric in metrics {
        if metric.get_label().iter().any(wrong) {
            let mut labels = metric.take_label();
            for label in labels.iter_mut().filter(|label| wrong(label)) {
                label.set_name(format!("_{}", label.name()));
            }
            metric.set_label(labels);
        }
    }
}

fn redact(metrics: &mut [Metric], deny: &DenyList) -> bool {
    let mut found = false;
    for metric in metrics {
        if !metric.get_label().iter().any(|label| deny.denies(label.name())) {
            continue;
        }
        found = true;
        let mut labels = metric.take_label();
        for label in labels.iter_mut().filter(|label| deny.denies(label.name())) {
            label.set_value(REDACTED.to_owned());
        }
        metric.set_label(labels);
    }
    found
}

/// Two series that only a secret told apart would be one series twice, which no parser takes.
fn number_duplicates(metrics: &mut [Metric]) {
    let mut seen: HashMap<Vec<(String, String)>, usize> = HashMap::new();
    for metric in metrics {
        let key = metric
            .get_label()
            .iter()
            .map(|label| (label.name().to_owned(), label.value().to_owned()))
            .collect();
        let count = seen.entry(key).or_default();
        *count += 1;
        if *count > 1 {
            let mut labels = metric.take_label();
            if let Some(label) =
                labels.iter_mut().find(|label: &&mut LabelPair| label.value() == REDACTED)
            {
                label.set_value(format!("{REDACTED} {count}"));
            }
            metric.set_label(labels);
        }
    }
}
