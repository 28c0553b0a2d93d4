//! Names, kinds, types and requirement levels compared with the semantic conventions: spans with a
//! table that names the sections, metrics with the model in the documentation of the crate.

mod model;
mod rules;
mod scenarios;

use crate::support::BoundaryCapture;
use hub_otel::semconv::{InstrumentKind, METRICS, Metric, metric};
use hub_otel::testing::Span;
use model::{Level, Model};
use rules::{DB_CLIENT, HTTP_CLIENT, HTTP_SERVER, Sort, When};

fn check(sort: &Sort, capture: &BoundaryCapture) -> usize {
    let spans = capture.spans();
    let ours = spans
        .iter()
        .filter(|span| span.kind == sort.kind && span.attributes.contains_key(sort.mark));
    ours.map(|span| check_one(sort, span)).count()
}

fn check_one(sort: &Sort, span: &Span) {
    assert_eq!(span.name, (sort.name)(span), "the name");
    assert_eq!(span.status, if sort.is_error(span) { "Error: " } else { "Unset" }, "{}", span.name);
    for (key, value) in &span.attributes {
        let rule = sort.rules.iter().find(|rule| rule.covers(key));
        let rule = rule.unwrap_or_else(|| panic!("`{key}` on `{}` is in no table", span.name));
        assert!(rule.value.admits(value), "{key} = {value:?} ({})", rule.section);
    }
    for rule in sort.rules {
        let there = span.attributes.keys().any(|key| rule.covers(key));
        let (fits, why) = match rule.when {
            When::Always => (there, "required"),
            When::If(words, holds) => (there == holds(span), words),
            When::AtLeastIf(words, holds) => (there || !holds(span), words),
            When::Never(words) => (!there, words),
            When::Recommended | When::OptIn => (true, ""),
        };
        assert!(fits, "`{}` on `{}`: {there}, {why} ({})", rule.key, span.name, rule.section);
    }
}

#[tokio::test]
async fn spans_have_the_attributes_of_the_conventions_and_no_others() {
    let capture = BoundaryCapture::new();
    let _pool = scenarios::run().await;
    capture.idle().await;
    for sort in [HTTP_SERVER, HTTP_CLIENT, DB_CLIENT] {
        assert!(check(&sort, &capture) >= 5, "{}", sort.mark);
    }
}

/// With another version of the conventions, the tables have to be compared with its text again.
#[test]
fn the_tables_are_those_of_the_version_that_the_keys_come_from() {
    assert_eq!(Model::read().schema, "https://opentelemetry.io/schemas/1.42.0");
}

#[test]
fn every_key_of_the_tables_is_one_of_the_model_and_of_its_type() {
    let model = Model::read();
    for rule in [HTTP_SERVER, HTTP_CLIENT, DB_CLIENT].iter().flat_map(|sort| sort.rules) {
        let known = model.types.get(rule.key.trim_end_matches('.'));
        let known = known
            .unwrap_or_else(|| panic!("the conventions know no {} ({})", rule.key, rule.section));
        assert_eq!(*known, rule.value, "{}", rule.key);
    }
}

/// The metrics of the boundaries that the conventions define.
const OURS: [Metric; 11] = [
    metric::HTTP_SERVER_REQUEST_DURATION,
    metric::HTTP_SERVER_ACTIVE_REQUESTS,
    metric::HTTP_CLIENT_REQUEST_DURATION,
    metric::DB_CLIENT_OPERATION_DURATION,
    metric::DB_CLIENT_CONNECTION_COUNT,
    metric::DB_CLIENT_CONNECTION_MAX,
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
        let model_metric = model.metric(metric.name);
        let kind = match metric.kind {
            InstrumentKind::Counter => "counter",
            InstrumentKind::UpDownCounter => "updowncounter",
            InstrumentKind::Histogram => "histogram",
            InstrumentKind::Gauge => "gauge",
        };
        assert_eq!(kind, model_metric.instrument, "{}", metric.name);
        assert_eq!(metric.unit, model_metric.unit, "{}", metric.name);
        for label in metric.labels {
            let level = model_metric.attributes.get(*label);
            assert!(level.is_some(), "{label} is not an attribute of {}", metric.name);
        }
        for (attribute, level) in &model_metric.attributes {
            if *level == Level::Required {
                assert!(
                    metric.labels.contains(&attribute.as_str()),
                    "{} wants {attribute}",
                    metric.name
                );
            }
        }
    }
}

#[tokio::test]
async fn every_series_has_the_labels_that_the_model_requires_and_none_beyond_the_contract() {
    let capture = BoundaryCapture::new();
    let _pool = scenarios::run().await;
    capture.idle().await;
    let model = Model::read();
    let mut seen = std::collections::BTreeSet::new();
    for series in &capture.metrics() {
        let metric =
            METRICS.iter().find(|metric| metric.name == series.name).expect("in the contract");
        let Some(metric) = OURS.iter().find(|ours| ours.name == metric.name) else { continue };
        seen.insert(metric.name);
        for label in series.labels.keys() {
            assert!(metric.labels.contains(&label.as_str()), "{} has {label}", metric.name);
        }
        for (attribute, level) in &model.metric(metric.name).attributes {
            if *level == Level::Required {
                assert!(
                    series.labels.contains_key(attribute),
                    "{} without {attribute}",
                    metric.name
                );
            }
        }
    }
    for expected in &OURS[..6] {
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
