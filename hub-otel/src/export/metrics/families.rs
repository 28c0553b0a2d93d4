//! Corrections of the metric families of `/metrics`.
//!
//! The SDK's exporter renders the counter `workflow.runs.total` as `workflow_runs_total_total`, and
//! its option `without_counter_suffixes` strips `_total` from every counter.

use crate::semconv::METRICS;
use crate::semconv::attribute::label::OVERFLOW_PROMETHEUS;
use crate::telemetry::redaction::{DenyList, REDACTED};
use prometheus::proto::LabelPair;
use prometheus::proto::Metric;
use prometheus::proto::MetricFamily;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// Corrects the names of families and labels, redacts secret label values and merges families of
/// the same name. Returns the families and the names of those with an overflow series.
pub(crate) fn rewrite_families(
    families: Vec<MetricFamily>,
    deny: &DenyList,
) -> (Vec<MetricFamily>, Vec<String>) {
    let mut by_name: BTreeMap<String, MetricFamily> = BTreeMap::new();
    let mut overflowed = Vec::new();
    for mut family in families {
        let name = metric_name(family.name());
        family.set_name(name.clone());
        correct_label_names(family.mut_metric());
        if redact_labels(family.mut_metric(), deny) {
            number_duplicates(family.mut_metric());
        }
        let has_overflow = family.get_metric().iter().any(|metric| {
            metric.get_label().iter().any(|label| label.name() == OVERFLOW_PROMETHEUS)
        });
        if has_overflow {
            overflowed.push(name.clone());
        }
        match by_name.get_mut(&name) {
            None => {
                by_name.insert(name, family);
            }
            // Two instruments with the same Prometheus name: one family must hold both series, or
            // the text does not parse.
            Some(first) if first.get_field_type() == family.get_field_type() => {
                first.mut_metric().extend(family.take_metric());
            }
            Some(_) => {}
        }
    }
    (by_name.into_values().filter(|family| !family.get_metric().is_empty()).collect(), overflowed)
}

/// Returns the name of a family without the duplicate suffix.
fn metric_name(rendered: &str) -> String {
    let name = rendered
        .strip_suffix("_total_total")
        .map_or_else(|| rendered.to_owned(), |name| format!("{name}_total"));
    debug_assert!(!METRICS.iter().any(|metric| metric.prometheus == rendered && rendered != name));
    name
}

/// Prefixes label names that are empty or begin with a digit: one invalid name makes the whole
/// scrape unreadable.
fn correct_label_names(metrics: &mut [Metric]) {
    let is_invalid = |label: &LabelPair| {
        !label.name().starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    };
    for metric in metrics {
        if metric.get_label().iter().any(is_invalid) {
            let mut labels = metric.take_label();
            for label in labels.iter_mut().filter(|label| is_invalid(label)) {
                label.set_name(format!("_{}", label.name()));
            }
            metric.set_label(labels);
        }
    }
}

/// Redacts secret label values. Returns whether any was redacted.
fn redact_labels(metrics: &mut [Metric], deny: &DenyList) -> bool {
    let mut is_redacted = false;
    for metric in metrics {
        if !metric.get_label().iter().any(|label| deny.denies(label.name())) {
            continue;
        }
        is_redacted = true;
        let mut labels = metric.take_label();
        for label in labels.iter_mut().filter(|label| deny.denies(label.name())) {
            label.set_value(REDACTED.to_owned());
        }
        metric.set_label(labels);
    }
    is_redacted
}

/// Numbers the redacted value of series that differ only in a secret: Prometheus rejects a scrape
/// with duplicate series.
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
