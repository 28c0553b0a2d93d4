//! Metrics, as they are pushed and as they are scraped.

use crate::document::table;
use crate::emitted::emitted;
use hub_otel::semconv::metric;
use hub_otel_tests::receiver::Item;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, metric::Data};
use std::collections::{BTreeMap, BTreeSet};

/// Description of a metric, in the document and as emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    instrument: String,
    unit: String,
    labels: BTreeSet<String>,
}

/// The document's metrics: OTel name, shape, Prometheus name.
fn documented() -> BTreeMap<String, (Shape, String)> {
    table("## Metrics")
        .into_iter()
        .map(|row| {
            let labels =
                row[3].split(", ").filter(|label| *label != "–").map(str::to_owned).collect();
            let shape = Shape { instrument: row[1].clone(), unit: row[2].clone(), labels };
            (row[0].clone(), (shape, row[4].clone()))
        })
        .collect()
}

fn keys<'a>(attributes: impl Iterator<Item = &'a Vec<KeyValue>>) -> BTreeSet<String> {
    // Prometheus writes an underscore for every dot.
    attributes.flatten().map(|attribute| attribute.key.replace('.', "_")).collect()
}

fn shape(metric: &Metric) -> Shape {
    let (instrument, labels) = match metric.data.as_ref().expect("data") {
        Data::Sum(sum) => {
            assert_eq!(
                sum.aggregation_temporality(),
                AggregationTemporality::Cumulative,
                "{}",
                metric.name
            );
            let instrument = if sum.is_monotonic { "counter" } else { "up-down counter" };
            (instrument, keys(sum.data_points.iter().map(|point| &point.attributes)))
        }
        Data::Gauge(gauge) => {
            ("gauge", keys(gauge.data_points.iter().map(|point| &point.attributes)))
        }
        Data::Histogram(histogram) => {
            assert_eq!(
                histogram.aggregation_temporality(),
                AggregationTemporality::Cumulative,
                "{}",
                metric.name
            );
            ("histogram", keys(histogram.data_points.iter().map(|point| &point.attributes)))
        }
        other => panic!("{}: {other:?}", metric.name),
    };
    Shape { instrument: instrument.to_owned(), unit: metric.unit.clone(), labels }
}

/// Returns the pushed metrics. The shape of a metric combines all pushes.
fn pushed() -> BTreeMap<String, Shape> {
    let mut pushed: BTreeMap<String, Shape> = BTreeMap::new();
    for metric in &emitted().metrics {
        let found = shape(metric);
        match pushed.get_mut(&metric.name) {
            None => {
                pushed.insert(metric.name.clone(), found);
            }
            Some(known) => {
                assert_eq!(
                    (&known.instrument, &known.unit),
                    (&found.instrument, &found.unit),
                    "{}",
                    metric.name
                );
                known.labels.extend(found.labels);
            }
        }
    }
    pushed
}

/// Labels that a metric only has in a world that this process is not in.
fn may_be_absent(metric: &str, label: &str) -> bool {
    match metric {
        // SQLite has neither a server nor a namespace.
        "db.client.operation.duration" => {
            matches!(label, "server_address" | "server_port" | "db_namespace")
        }
        // Only of exporters of the application.
        "hub_otel.export.items" => label == "exporter",
        _ => false,
    }
}

#[test]
fn every_metric_of_the_document_is_emitted_with_its_instrument_unit_and_labels() {
    let pushed = pushed();
    for (name, (documented, _)) in documented() {
        let found = pushed.get(&name).unwrap_or_else(|| panic!("{name} was not emitted"));
        assert_eq!(
            (&found.instrument, &found.unit),
            (&documented.instrument, &documented.unit),
            "{name}"
        );
        let absent: Vec<_> = documented
            .labels
            .difference(&found.labels)
            .filter(|label| !may_be_absent(&name, label))
            .collect();
        assert!(absent.is_empty(), "{name} never had {absent:?}");
    }
}

#[test]
fn every_metric_that_is_emitted_is_in_the_document_with_all_of_its_labels() {
    let documented = documented();
    for (name, found) in pushed() {
        let (known, _) =
            documented.get(&name).unwrap_or_else(|| panic!("{name} is not in the document"));
        let unknown: Vec<_> = found.labels.difference(&known.labels).collect();
        assert!(unknown.is_empty(), "{name} has {unknown:?}");
    }
}

#[test]
fn buckets_are_those_of_the_document() {
    let buckets: BTreeMap<_, _> = table("## Buckets")
        .into_iter()
        .map(|row| {
            (
                row[0].clone(),
                row[2].split(' ').map(|bound| bound.parse::<f64>().expect("a bound")).collect(),
            )
        })
        .collect();
    let histograms: BTreeMap<String, Vec<f64>> =
        emitted().metrics.iter().filter_map(bounds).collect();
    assert_eq!(histograms, buckets);
}

fn bounds(metric: &Item<Metric>) -> Option<(String, Vec<f64>)> {
    match metric.data.as_ref()? {
        Data::Histogram(histogram) => {
            Some((metric.name.clone(), histogram.data_points.first()?.explicit_bounds.clone()))
        }
        _ => None,
    }
}

#[test]
fn the_scrape_shows_the_names_types_and_labels_of_the_document() {
    let scrape = &emitted().scrape;
    let mut known = BTreeSet::new();
    for (name, (documented, prometheus)) in documented() {
        let family = prometheus.trim_end_matches("_{bucket,sum,count}");
        known.insert(family.to_owned());
        let found = scrape
            .families
            .get(family)
            .unwrap_or_else(|| panic!("{family} ({name}) is not in the scrape"));
        let kind = match documented.instrument.as_str() {
            "up-down counter" | "gauge" => "gauge",
            other => other,
        };
        assert_eq!(found.kind, kind, "{family}");
        assert!(!found.help.is_empty(), "{family}");
        let suffixes: &[&str] =
            if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        for suffix in suffixes {
            let series = format!("{family}{suffix}");
            let samples: Vec<_> =
                scrape.matching(&series, &[("service_name", "under-test")]).collect();
            assert!(!samples.is_empty(), "{series}");
            for label in samples.iter().flat_map(|sample| sample.labels.keys()) {
                let of_the_target = matches!(label.as_str(), "service_name" | "le");
                assert!(of_the_target || documented.labels.contains(label), "{series} has {label}");
            }
        }
    }
    let unknown: Vec<_> = scrape
        .families
        .keys()
        .filter(|family| !known.contains(*family) && *family != "target_info")
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Returns a quantile of equal values, as Prometheus interpolates it from buckets.
fn interpolated(quantile: f64, value: f64, bounds: &[f64]) -> f64 {
    let bucket = bounds.partition_point(|bound| *bound < value);
    let below = if bucket == 0 { 0.0 } else { bounds[bucket - 1] };
    below + quantile * (bounds[bucket] - below)
}

#[test]
fn percentiles_of_durations_from_100_ms_to_10_s_are_within_10_percent() {
    for metric in [&metric::WORKFLOW_DURATION, &metric::AGENT_DURATION] {
        for value in (100..=10_000).map(f64::from) {
            for quantile in [0.5, 0.95, 0.99] {
                let shown = interpolated(quantile, value, metric.buckets);
                let error = (shown / value - 1.0).abs();
                assert!(error < 0.1, "{}: p{quantile} of {value} ms is {shown}", metric.name);
            }
        }
        // The spread of a real service hides less: all values of a range, equally often.
        for median in [88.0, 300.0, 1_200.0, 6_000.0] {
            let values: Vec<f64> =
                (0..2_000).map(|n| median * (0.5 + f64::from(n) / 2_000.0)).collect();
            for quantile in [0.5, 0.95, 0.99] {
                let (shown, exact) = (
                    spread(quantile, &values, metric.buckets),
                    values[(quantile * 2_000.0) as usize - 1],
                );
                let error = (shown / exact - 1.0).abs();
                assert!(error < 0.1, "{}: p{quantile} of {exact} ms is {shown}", metric.name);
            }
        }
    }
}

/// Returns a quantile of sorted values, as Prometheus interpolates it from buckets.
fn spread(quantile: f64, values: &[f64], bounds: &[f64]) -> f64 {
    let rank = quantile * values.len() as f64;
    let (mut before, mut below) = (0, 0.0);
    for bound in bounds {
        let upto = values.partition_point(|value| value <= bound);
        if upto as f64 >= rank {
            return below
                + (bound - below) * (rank - f64::from(before)) / f64::from(upto as u32 - before);
        }
        (before, below) = (upto as u32, *bound);
    }
    f64::INFINITY
}
