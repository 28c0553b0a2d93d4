//! Names, kinds, types and requirement levels against the semantic conventions: spans against a table with the sections
//! they come from, metrics against the model that the conventions' own crate carries.

mod model;
mod rules;
mod scenarios;

use crate::support::Watched;
use hub_otel::contract::{Kind, METRICS, Metric, metric};
use model::{Level, Model};
use rules::{DB_CLIENT, HTTP_CLIENT, HTTP_SERVER, Rule, When};

fn check(rules: &[Rule], kind: &str, watched: &Watched, is_ours: impl Fn(&str) -> bool) -> usize {
    let spans = watched.spans();
    let mut checked = 0;
    for span in spans.iter().filter(|span| span.kind == kind) {
        if !span.attributes.keys().any(|key| is_ours(key)) {
            continue;
        }
        checked += 1;
        for (key, value) in &span.attributes {
            let rule = rules.iter().find(|rule| rule.covers(key));
            let rule = rule.unwrap_or_else(|| panic!("`{key}` on `{}` is in no table", span.name));
            assert!(rule.value.admits(value), "{key} = {value:?} ({})", rule.section);
        }
        for rule in rules {
            let there = span.attributes.keys().any(|key| rule.covers(key));
            match rule.when {
                When::Always => {
                    assert!(there, "`{}` is missing on `{}` ({})", rule.key, span.name, rule.section)
                }
                When::If(words, holds) => {
                    assert_eq!(
                        there,
                        holds(span),
                        "`{}` on `{}`: {words} ({})",
                        rule.key,
                        span.name,
                        rule.section
                    );
                }
                When::Maybe => {}
            }
        }
    }
    checked
}

#[tokio::test]
async fn spans_carry_what_the_conventions_ask_for_and_nothing_else() {
    let watched = Watched::new();
    scenarios::run().await;
    watched.idle().await;
    assert!(check(HTTP_SERVER, "Server", &watched, |key| key == "http.request.method") >= 5);
    assert!(check(HTTP_CLIENT, "Client", &watched, |key| key == "http.request.method") >= 5);
    assert!(check(DB_CLIENT, "Client", &watched, |key| key == "db.system.name") >= 5);
}

/// The metrics of the boundaries that the conventions define.
const OURS: [Metric; 9] = [
    metric::HTTP_SERVER_REQUEST_DURATION,
    metric::HTTP_SERVER_ACTIVE_REQUESTS,
    metric::HTTP_CLIENT_REQUEST_DURATION,
    metric::DB_CLIENT_OPERATION_DURATION,
    metric::PROCESS_CPU_TIME,
    metric::PROCESS_MEMORY_USAGE,
    metric::PROCESS_THREAD_COUNT,
    metric::PROCESS_FILE_DESCRIPTOR_COUNT,
    metric::PROCESS_UPTIME,
];

#[test]
fn the_contract_agrees_with_the_conventions_model_on_instruments_units_and_labels() {
    let model = Model::read();
    for metric in OURS {
        let asked = model.metric(metric.name);
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::UpDownCounter => "updowncounter",
            Kind::Histogram => "histogram",
            Kind::Gauge => "gauge",
        };
        assert_eq!(kind, asked.instrument, "{}", metric.name);
        assert_eq!(metric.unit, asked.unit, "{}", metric.name);
        for label in metric.labels {
            let level = asked.attributes.get(*label);
            assert!(level.is_some(), "{label} is not an attribute of {}", metric.name);
        }
        for (attribute, level) in &asked.attributes {
            if *level == Level::Required {
                assert!(metric.labels.contains(&attribute.as_str()), "{} wants {attribute}", metric.name);
            }
        }
    }
}

#[tokio::test]
async fn every_series_has_the_labels_that_the_model_requires_and_none_beyond_the_contract() {
    let watched = Watched::new();
    scenarios::run().await;
    watched.idle().await;
    let model = Model::read();
    let mut seen = std::collections::BTreeSet::new();
    for series in &watched.metrics() {
        let metric = METRICS.iter().find(|metric| metric.name == series.name).expect("in the contract");
        let Some(metric) = OURS.iter().find(|ours| ours.name == metric.name) else { continue };
        seen.insert(metric.name);
        for label in series.labels.keys() {
            assert!(metric.labels.contains(&label.as_str()), "{} has {label}", metric.name);
        }
        for (attribute, level) in &model.metric(metric.name).attributes {
            if *level == Level::Required {
                assert!(series.labels.contains_key(attribute), "{} without {attribute}", metric.name);
            }
        }
    }
    for expected in &OURS[..4] {
        assert!(seen.contains(expected.name), "{} was not recorded", expected.name);
    }
}

/// HTTP metrics, "Metric: http.server.request.duration"; database metrics, "Metric: db.client.operation.duration".
#[test]
fn buckets_are_those_that_the_conventions_advise() {
    let http = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    assert_eq!(metric::HTTP_SERVER_REQUEST_DURATION.buckets, http);
    assert_eq!(metric::HTTP_CLIENT_REQUEST_DURATION.buckets, http);
    assert_eq!(
        metric::DB_CLIENT_OPERATION_DURATION.buckets,
        [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]
    );
}
