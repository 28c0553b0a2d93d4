//! The page of `/metrics`: metric families from the metrics of the SDK, and those of units from
//! their own counts.
//!
//! Not `opentelemetry-prometheus`: it drops the scopes, so that two meters with the same series
//! give a page with duplicates, of which Prometheus keeps one. It also keeps reserved label names,
//! merges a label of the user with one of the target, and reports a conflict at each scrape.

mod names;
mod series;
mod unit_series;

use crate::export::metrics::families::names::{Labels, family_name, labels_of};
use crate::export::metrics::families::series::{Point, PointValue, merge_series};
use crate::export::metrics::families::unit_series::SeriesWriter;
use crate::metrics::snapshot::{Snapshot, UnitMetric};
use crate::semconv::SCOPE;
use crate::semconv::attribute::label::OVERFLOW_PROMETHEUS;
use crate::semconv::attribute::{SERVICE_NAME, SERVICE_NAMESPACE};
use crate::telemetry::redaction::DenyList;
use opentelemetry_sdk::metrics::data::AggregatedMetrics;
use opentelemetry_sdk::metrics::data::Metric;
use opentelemetry_sdk::metrics::data::MetricData;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::data::ScopeMetrics;
use opentelemetry_semantic_conventions::attribute as s;
use prometheus::TextEncoder;
use prometheus::proto::MetricFamily;
use prometheus::proto::MetricType;
use std::collections::BTreeMap;

/// The family with the resource (OpenTelemetry, "Prometheus compatibility", "Resource attributes").
const TARGET_INFO: &str = "target_info";
/// Attributes of the resource that are labels of every series.
const TARGET_ATTRIBUTES: [&str; 3] =
    [SERVICE_NAME, SERVICE_NAMESPACE, s::DEPLOYMENT_ENVIRONMENT_NAME];
/// Samples of a histogram. No other family may have such a name.
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// One page of `/metrics`.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) text: String,
    /// Names of the families with an overflow series.
    pub(crate) overflowed: Vec<String>,
    /// Conflicts of instruments: name of the family and text of the warning.
    pub(crate) conflicts: Vec<(String, String)>,
}

/// A family before its series are merged.
struct Family {
    kind: MetricType,
    help: String,
    /// The scope of the first instrument.
    scope: String,
    points: Vec<Point>,
    /// Set if the series are those of a metric of units, written without points.
    units: Option<UnitMetric>,
}

/// Renders `metrics` and the metrics of units; without `units`, those that the SDK read.
/// Instruments of this crate take precedence over those of the application, and scopes are ordered
/// by name, so that a conflict is always decided in the same way.
///
/// # Errors
/// The text encoder rejects a family.
pub(crate) fn render_page(
    metrics: &ResourceMetrics,
    units: Option<&Snapshot<'_>>,
    deny: &DenyList,
) -> Result<Page, String> {
    let mut page = Page::default();
    let resource = || metrics.resource().iter();
    let target = labels_of(
        resource().filter(|(key, _)| TARGET_ATTRIBUTES.contains(&key.as_str())),
        deny,
        &[],
    );
    let mut families = BTreeMap::new();
    if !metrics.resource().is_empty() {
        let labels = labels_of(resource(), deny, &[]);
        families.insert(TARGET_INFO.to_owned(), target_info(labels));
    }
    let mut scopes: Vec<_> = metrics.scope_metrics().collect();
    scopes.sort_by_key(|scope| {
        let (name, version) = (scope.scope().name(), scope.scope().version());
        (name != SCOPE, name.to_owned(), version.unwrap_or_default().to_owned())
    });
    if let Some(units) = units {
        add_units(&mut families, &scopes, units, deny, &target);
    }
    for scope in scopes {
        for metric in scope.metrics() {
            if units.is_none() || !is_of_units(scope, metric) {
                add(&mut families, &mut page, metric, scope.scope().name(), deny, &target);
            }
        }
    }
    remove_sample_names(&mut families, &mut page);
    let mut writer = SeriesWriter::new(deny, &target);
    for (name, family) in families {
        if let (Some(metric), Some(units)) = (family.units, units) {
            if writer.write(units, metric, &mut page.text) {
                page.overflowed.push(name);
            }
        } else {
            encode(name, family, &mut page)?;
        }
    }
    Ok(page)
}

/// Encodes a family of instruments.
fn encode(name: String, family: Family, page: &mut Page) -> Result<(), String> {
    let is_overflow =
        |point: &Point| point.labels.iter().any(|(label, _)| label == OVERFLOW_PROMETHEUS);
    if family.points.iter().any(is_overflow) {
        page.overflowed.push(name.clone());
    }
    let (series, conflict) = merge_series(family.points);
    if let Some(conflict) = conflict {
        page.conflicts.push((name.clone(), format!("`{name}` {conflict}")));
    }
    if series.is_empty() {
        return Ok(());
    }
    let mut converted = MetricFamily::default();
    converted.set_name(name);
    converted.set_help(family.help);
    converted.set_field_type(family.kind);
    converted.set_metric(series);
    TextEncoder::new().encode_utf8(&[converted], &mut page.text).map_err(|error| error.to_string())
}

/// Returns whether the SDK's `metric` repeats one of units, which an export by OTLP needs.
fn is_of_units(scope: &ScopeMetrics, metric: &Metric) -> bool {
    scope.scope().name() == SCOPE
        && UnitMetric::ALL.iter().any(|units| units.definition().name == metric.name())
}

/// Adds the metrics of units that have series. Where an instrument of the application has the same
/// name, or that of a sample, the series are added as points, to be merged.
fn add_units(
    families: &mut BTreeMap<String, Family>,
    scopes: &[&ScopeMetrics],
    units: &Snapshot<'_>,
    deny: &DenyList,
    target: &[(String, String)],
) {
    let of_application: Vec<String> = scopes
        .iter()
        .flat_map(|scope| scope.metrics().map(move |metric| (*scope, metric)))
        .filter(|(scope, _)| scope.scope().name() != SCOPE)
        .map(|(_, metric)| family_name(metric.name(), metric.unit(), is_counter(metric)))
        .collect();
    for metric in UnitMetric::ALL {
        let definition = metric.definition();
        let mut family = Family {
            kind: match metric {
                UnitMetric::Duration(_) => MetricType::HISTOGRAM,
                UnitMetric::Active => MetricType::GAUGE,
                _ => MetricType::COUNTER,
            },
            help: definition.description.to_owned(),
            scope: SCOPE.to_owned(),
            points: Vec::new(),
            units: Some(metric),
        };
        if of_application.iter().any(|name| name.starts_with(definition.prometheus)) {
            let mut points = PointReader { scope: SCOPE, deny, target, points: Vec::new() };
            units.visit(metric, &mut |labels, value| {
                points.add(labels.iter(), PointValue::of_units(value, definition));
            });
            if points.points.is_empty() {
                continue;
            }
            (family.points, family.units) = (points.points, None);
        }
        families.insert(definition.prometheus.to_owned(), family);
    }
}

fn is_counter(metric: &Metric) -> bool {
    fn is_monotonic<T>(data: &MetricData<T>) -> bool {
        matches!(data, MetricData::Sum(sum) if sum.is_monotonic())
    }
    match metric.data() {
        AggregatedMetrics::F64(data) => is_monotonic(data),
        AggregatedMetrics::U64(data) => is_monotonic(data),
        AggregatedMetrics::I64(data) => is_monotonic(data),
    }
}

fn target_info(labels: Labels) -> Family {
    let value = PointValue::Gauge(1.0);
    let points = vec![Point { labels, scope: SCOPE.to_owned(), value }];
    let (kind, help) = (MetricType::GAUGE, "Target metadata".to_owned());
    Family { kind, help, scope: SCOPE.to_owned(), points, units: None }
}

/// Adds the points of `metric`, unless its type differs from that of its family.
fn add(
    families: &mut BTreeMap<String, Family>,
    page: &mut Page,
    metric: &Metric,
    scope: &str,
    deny: &DenyList,
    target: &[(String, String)],
) {
    let mut reader = PointReader { scope, deny, target, points: Vec::new() };
    let kind = match metric.data() {
        AggregatedMetrics::F64(data) => reader.read(data, |value| value),
        AggregatedMetrics::U64(data) => reader.read(data, |value| value as f64),
        AggregatedMetrics::I64(data) => reader.read(data, |value| value as f64),
    };
    let Some(kind) = kind else { return };
    let name = family_name(metric.name(), metric.unit(), kind == MetricType::COUNTER);
    let family = families.entry(name.clone()).or_insert_with(|| Family {
        kind,
        help: metric.description().to_owned(),
        scope: scope.to_owned(),
        points: Vec::new(),
        units: None,
    });
    if family.kind == kind && name != TARGET_INFO {
        family.points.append(&mut reader.points);
    } else {
        let conflict = format!(
            "`{name}` is not served for the instrument `{}` of the meter `{scope}`: the meter `{}` \
             has an instrument of that name and another type; rename one of them",
            metric.name(),
            family.scope,
        );
        page.conflicts.push((name, conflict));
    }
}

/// Removes families with the name of a histogram's samples: the text would not parse.
fn remove_sample_names(families: &mut BTreeMap<String, Family>, page: &mut Page) {
    let histograms: Vec<String> = families
        .iter()
        .filter(|(_, family)| family.kind == MetricType::HISTOGRAM)
        .map(|(name, _)| name.clone())
        .collect();
    for histogram in histograms {
        for suffix in HISTOGRAM_SUFFIXES {
            let sample = format!("{histogram}{suffix}");
            let Some(other) = families.get(&sample) else { continue };
            // The instrument of the application gives way to the one of this crate.
            let removed = if other.scope == SCOPE { histogram.clone() } else { sample.clone() };
            families.remove(&removed);
            let conflict = format!(
                "`{removed}` is not served: the histogram `{histogram}` has samples named \
                 `{sample}`; rename one of the instruments"
            );
            page.conflicts.push((removed, conflict));
        }
    }
}

/// Reads the points of one instrument.
struct PointReader<'a> {
    scope: &'a str,
    deny: &'a DenyList,
    target: &'a [(String, String)],
    points: Vec<Point>,
}

impl PointReader<'_> {
    fn add<'k>(
        &mut self,
        attributes: impl Iterator<Item = &'k opentelemetry::KeyValue>,
        value: PointValue,
    ) {
        let pairs = attributes.map(|attribute| (&attribute.key, &attribute.value));
        let mut labels = labels_of(pairs, self.deny, self.target);
        labels.extend_from_slice(self.target);
        self.points.push(Point { labels, scope: self.scope.to_owned(), value });
    }

    /// Returns the type of the family. `None` for exponential histograms, which the text format
    /// does not have.
    fn read<T: Copy>(
        &mut self,
        data: &MetricData<T>,
        number: impl Fn(T) -> f64,
    ) -> Option<MetricType> {
        match data {
            MetricData::Gauge(gauge) => {
                for point in gauge.data_points() {
                    self.add(point.attributes(), PointValue::Gauge(number(point.value())));
                }
                Some(MetricType::GAUGE)
            }
            MetricData::Sum(sum) => {
                let is_monotonic = sum.is_monotonic();
                for point in sum.data_points() {
                    let value = number(point.value());
                    let value = PointValue::Sum { value, is_monotonic };
                    self.add(point.attributes(), value);
                }
                Some(if is_monotonic { MetricType::COUNTER } else { MetricType::GAUGE })
            }
            MetricData::Histogram(histogram) => {
                for point in histogram.data_points() {
                    let value = PointValue::Histogram {
                        bounds: point.bounds().collect(),
                        counts: point.bucket_counts().collect(),
                        count: point.count(),
                        sum: number(point.sum()),
                    };
                    self.add(point.attributes(), value);
                }
                Some(MetricType::HISTOGRAM)
            }
            MetricData::ExponentialHistogram(_) => None,
        }
    }
}
