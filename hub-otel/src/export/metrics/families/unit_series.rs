//! Metrics of units in the Prometheus text format, written from their own counts without
//! intermediate families: a page of a thousand label sets has tens of thousands of lines.

use crate::export::encode::is_text;
use crate::export::metrics::families::names::label_name_beside;
use crate::metrics::Durations;
use crate::metrics::snapshot::{SeriesValue, Snapshot, UnitMetric};
use crate::semconv::InstrumentKind;
use crate::semconv::attribute::label::OVERFLOW;
use crate::telemetry::redaction::DenyList;
use opentelemetry::Key;
use opentelemetry::KeyValue;
use std::fmt::Write;

/// The longest rest of a bucket's line in bytes: the bound and a count.
const LINE_REST: usize = 48;

/// The bounds of a histogram, each as a line has it behind `le="`.
#[derive(Default)]
struct Bounds {
    text: String,
    ends: Vec<usize>,
}

impl Bounds {
    fn new(bounds: &[f64]) -> Self {
        let mut texts = Self::default();
        for bound in bounds {
            let _ = write!(texts.text, "{bound}\"}} ");
            texts.ends.push(texts.text.len());
        }
        texts
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let text = &self.text[begin..*end];
            begin = *end;
            text
        })
    }
}

/// Writes series. Its buffers are used for all of a page.
pub(super) struct SeriesWriter<'a> {
    deny: &'a DenyList,
    target: &'a [(String, String)],
    /// The keys of the page, sorted by name.
    names: Vec<LabelName>,
    /// Indices of names and of labels of one series, sorted.
    order: Vec<(usize, usize)>,
    /// Labels of one series without the brackets, each with a comma behind it.
    labels: String,
    /// Labels of the target, in the same form.
    target_labels: String,
    /// The begin of the lines of one histogram, up to the bound.
    bucket: String,
    /// The end of a line: the count.
    count: String,
}

struct LabelName {
    key: Key,
    name: String,
    is_secret: bool,
}

impl<'a> SeriesWriter<'a> {
    /// Creates a writer of series with the labels of `target`.
    pub(super) fn new(deny: &'a DenyList, target: &'a [(String, String)]) -> Self {
        let mut target_labels = String::new();
        for (name, value) in target {
            target_labels.extend([name, "=\""]);
            push_escaped(&mut target_labels, value);
            target_labels.push_str("\",");
        }
        let (names, order) = (Vec::new(), Vec::new());
        let (labels, bucket, count) = (String::new(), String::new(), String::new());
        Self { deny, target, names, order, labels, target_labels, bucket, count }
    }

    /// Writes the family of `metric`, if it has series. Returns whether it has an overflow series.
    pub(super) fn write(
        &mut self,
        units: &Snapshot<'_>,
        metric: UnitMetric,
        page: &mut String,
    ) -> bool {
        let definition = metric.definition();
        let (name, begin) = (definition.prometheus, page.len());
        let kind = match definition.kind {
            InstrumentKind::Counter => "counter",
            InstrumentKind::Histogram => "histogram",
            InstrumentKind::UpDownCounter | InstrumentKind::Gauge => "gauge",
        };
        page.extend(["# HELP ", name, " ", definition.description, "\n"]);
        page.extend(["# TYPE ", name, " ", kind, "\n"]);
        let (head, mut has_overflow) = (page.len(), false);
        let bounds = Bounds::new(definition.buckets);
        units.visit(metric, &mut |labels, value| {
            has_overflow |= matches!(labels, [label] if label.key.as_str() == OVERFLOW);
            self.set_labels(labels);
            let mut digits = itoa::Buffer::new();
            match value {
                SeriesValue::Count(count) => self.push_sample(page, name, "", digits.format(count)),
                SeriesValue::InFlight(active) => {
                    self.push_sample(page, name, "", digits.format(active));
                }
                SeriesValue::Durations(durations) => {
                    self.push_histogram(page, name, &bounds, durations);
                }
            }
        });
        if page.len() == head {
            page.truncate(begin);
        }
        has_overflow
    }

    fn push_histogram(
        &mut self,
        page: &mut String,
        name: &str,
        bounds: &Bounds,
        durations: &Durations,
    ) {
        self.bucket.clear();
        self.bucket.extend([name, "_bucket{", &self.labels, "le=\""]);
        let (bounded, unbounded) = durations.buckets(bounds.ends.len());
        let (mut cumulative, mut digits) = (0, itoa::Buffer::new());
        // Enough for all lines, so that no line grows the page.
        page.reserve((self.bucket.len() + LINE_REST) * (bounded.len() + 3));
        self.count.clear();
        self.count.push_str("0\n");
        for (bound, count) in bounds.texts().zip(bounded) {
            // Most buckets are empty: their line ends as the one before.
            if *count > 0 {
                cumulative += count;
                self.count.clear();
                self.count.extend([digits.format(cumulative), "\n"]);
            }
            page.push_str(&self.bucket);
            page.push_str(bound);
            page.push_str(&self.count);
        }
        let count = digits.format(cumulative + unbounded);
        page.extend([&self.bucket, "+Inf\"} ", count, "\n"]);
        let sum = durations.milliseconds();
        self.push_name(page, name, "_sum");
        let _ = writeln!(page, "{sum}");
        self.push_sample(page, name, "_count", count);
    }

    fn push_sample(&self, page: &mut String, name: &str, suffix: &str, value: &str) {
        self.push_name(page, name, suffix);
        page.push_str(value);
        page.push('\n');
    }

    fn push_name(&self, page: &mut String, name: &str, suffix: &str) {
        page.push_str(name);
        page.push_str(suffix);
        if let Some(labels) = self.labels.strip_suffix(',') {
            page.push('{');
            page.push_str(labels);
            page.push('}');
        }
        page.push(' ');
    }

    /// Sets the labels of the next series: redacted, renamed and sorted as those of instruments.
    fn set_labels(&mut self, labels: &[KeyValue]) {
        self.order.clear();
        for (index, label) in labels.iter().enumerate() {
            let Some(name) = self.names.iter().position(|known| known.key == label.key) else {
                self.add_name(&label.key);
                return self.set_labels(labels);
            };
            self.order.push((name, index));
        }
        self.order.sort_unstable();
        let names = &self.names;
        self.labels.clear();
        for alike in
            self.order.chunk_by(|(one, _), (other, _)| names[*one].name == names[*other].name)
        {
            self.labels.push_str(&names[alike[0].0].name);
            self.labels.push_str("=\"");
            for (number, (name, label)) in alike.iter().enumerate() {
                if number > 0 {
                    self.labels.push(';');
                }
                let (LabelName { key, is_secret, .. }, value) =
                    (&names[*name], &labels[*label].value);
                let text = value.as_str();
                if *is_secret && is_text(value) {
                    push_escaped(&mut self.labels, &self.deny.redact_label(key.as_str(), &text));
                } else {
                    push_escaped(&mut self.labels, &text);
                }
            }
            self.labels.push_str("\",");
        }
        self.labels.push_str(&self.target_labels);
    }

    #[cold]
    fn add_name(&mut self, key: &Key) {
        let name = label_name_beside(key.as_str(), self.target);
        let is_secret = self.deny.redacts(key.as_str());
        let place = self.names.partition_point(|known| (&known.name, &known.key) < (&name, key));
        self.names.insert(place, LabelName { key: key.clone(), name, is_secret });
    }
}

/// Appends a label value.
fn push_escaped(labels: &mut String, value: &str) {
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        return labels.push_str(value);
    }
    for character in value.chars() {
        match character {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            other => labels.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::export::metrics::ManualMetricReader;
    use crate::export::metrics::families::render_page;
    use crate::label::LabelValue;
    use crate::metrics::{Dimensions, UnitMetrics};
    use crate::options::Options;
    use crate::semconv::{SCOPE, kv};
    use crate::status::UnitStatus;
    use crate::telemetry::redaction::DenyList;
    use crate::unit_kind::UnitKind;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
    use std::time::Duration;

    type Extra<'a> = &'a [(&'static str, LabelValue)];

    fn record(
        units: &UnitMetrics,
        kind: UnitKind,
        id: &str,
        trigger_or_action: &str,
        extra: Extra<'_>,
    ) {
        let set = units.label_set(kind, &Dimensions { id, trigger_or_action, extra });
        for (number, status) in UnitStatus::ALL.into_iter().enumerate() {
            set.add_active(1);
            if number % 2 == 0 {
                set.record_end(status, Duration::from_millis([10, 11, 8_000_000][number / 2]));
            }
        }
        set.add_active(-2);
        for value in ["timeout", "a \"quoted\" \\ \nreason", "timeout", "timeout"] {
            set.record_error(value);
            set.record_retry(value);
        }
        (0..60).for_each(|number| set.record_error(&format!("type-{number}")));
    }

    /// Records sets that share series, have extra labels, have no ended unit, or overflow.
    fn record_all(units: &UnitMetrics) {
        let text = LabelValue::Text;
        let odd: Extra<'_> = &[("a.b", text("x")), ("a_b", text("y")), ("le", text("z"))];
        let both: [Extra<'_>; 2] = [
            &[("tier", text("free")), ("beta", LabelValue::Bool(true))],
            &[("beta", LabelValue::Bool(true)), ("tier", text("free"))],
        ];
        for kind in [UnitKind::Workflow, UnitKind::Agent] {
            record(units, kind, "nightly", "manual", &[]);
            record(units, kind, "nightly", "schedule", &[]);
            record(units, kind, "nightly", "schedule", odd);
            record(units, kind, "nightly", "manual", &[("api_key", text("secret"))]);
            both.iter().for_each(|extra| record(units, kind, "scan", "manual", extra));
            let idle = Dimensions { id: "idle", trigger_or_action: "manual", extra: &[] };
            units.label_set(kind, &idle);
            (0..3).for_each(|number| record(units, kind, &format!("over-{number}"), "manual", &[]));
        }
    }

    #[test]
    fn the_series_are_those_that_the_sdk_exports() {
        let deny = DenyList::default();
        let options = Options { max_label_sets: 7, ..Options::default() };
        let reader = ManualMetricReader::new(Temporality::Cumulative);
        let resource = Resource::builder_empty()
            .with_attributes([kv("service.name", "the \"service\"")])
            .build();
        let provider_of = |reader: &ManualMetricReader| {
            let builder = SdkMeterProvider::builder().with_resource(resource.clone());
            builder.with_reader(reader.clone()).build()
        };
        let provider = provider_of(&reader);
        let meter = provider.meter(SCOPE);
        let units = UnitMetrics::new(&meter, options, true);
        record_all(&units);
        let page = |units: Option<&UnitMetrics>, metrics: Result<_, String>| {
            let metrics = metrics.expect("a collection");
            let page = render_page(&metrics, units.map(UnitMetrics::snapshot).as_ref(), &deny)
                .expect("a page");
            assert!(page.conflicts.is_empty(), "{:?}", page.conflicts);
            assert_eq!(page.overflowed.len(), 8, "{:?}", page.overflowed);
            let mut lines: Vec<_> = page.text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let by_sdk = page(None, reader.read());
        assert!(by_sdk.len() > 1_500, "{}", by_sdk.len());
        // A second instance, of which the SDK reads nothing.
        let again = ManualMetricReader::new(Temporality::Cumulative);
        let provider = provider_of(&again);
        let direct = UnitMetrics::new(&provider.meter(SCOPE), options, false);
        record_all(&direct);
        let direct = page(Some(&direct), again.read());
        let differing: Vec<_> =
            by_sdk.iter().zip(&direct).filter(|(one, other)| one != other).collect();
        assert!(differing.is_empty(), "{:#?}", &differing[..differing.len().min(4)]);
        assert_eq!(by_sdk.len(), direct.len());
    }
}
