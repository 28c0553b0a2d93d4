//! Prometheus text as a table, by the parser `nom-openmetrics`, which rejects trailing input.
//!
//! As Prometheus and promtool do, series that occur twice, labels that occur twice, reserved labels
//! and histograms whose buckets do not add up are rejected as well.

use nom_openmetrics::{MetricDescriptor, MetricType, parser};
use std::collections::{BTreeMap, BTreeSet};

/// One scrape.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    /// The families by name.
    pub families: BTreeMap<String, Family>,
    /// The samples, in the order of the text.
    pub samples: Vec<Sample>,
}

/// HELP and TYPE of a family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// HELP.
    pub help: String,
    /// TYPE: `counter`, `gauge`, `histogram`.
    pub kind: String,
}

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name of the family, with `_bucket`, `_sum` or `_count` for a histogram.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

impl Sample {
    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(key, value)| self.labels.get(*key).is_some_and(|found| found == value))
    }
}

impl Scrape {
    /// Parses the whole text.
    ///
    /// # Errors
    /// If the text is not in the Prometheus format. The error names the position.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (_, parsed) = parser::prometheus(text)
            .map_err(|error| error.to_string().chars().take(600).collect::<String>())?;
        let mut scrape = Self::default();
        for family in parsed {
            for descriptor in family.descriptors {
                let entry = scrape.families.entry(descriptor.metric().to_owned()).or_default();
                match descriptor {
                    MetricDescriptor::Help { help, .. } => entry.help = help,
                    MetricDescriptor::Type { r#type, .. } => {
                        entry.kind = match r#type {
                            MetricType::Unknown(kind) => kind.to_owned(),
                            known => known.to_string().to_lowercase(),
                        }
                    }
                    MetricDescriptor::Unit { .. } => {}
                }
            }
            if let Some(sample) = family.samples.iter().find(|sample| has_label_twice(sample)) {
                return Err(format!("a label twice in {}", sample.name()));
            }
            scrape.samples.extend(family.samples.iter().map(|sample| {
                Sample {
                    name: sample.name().to_owned(),
                    labels: sample
                        .labels()
                        .iter()
                        .map(|label| (label.name.to_owned(), label.value.clone()))
                        .collect(),
                    value: sample.number(),
                }
            }));
        }
        scrape.check()?;
        Ok(scrape)
    }

    /// Rejects what the parser accepts and Prometheus does not.
    fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            if !seen.insert((&sample.name, &sample.labels)) {
                return Err(format!("twice: {sample:?}"));
            }
            let is_bucket = sample.name.ends_with("_bucket");
            let is_reserved = |label: &String| {
                label.starts_with("__") || label == "quantile" || (label == "le" && !is_bucket)
            };
            if let Some(label) = sample.labels.keys().find(|label| is_reserved(label)) {
                return Err(format!("a reserved label {label}: {sample:?}"));
            }
        }
        self.families
            .iter()
            .filter(|(_, family)| family.kind == "histogram")
            .try_for_each(|(name, _)| self.check_histogram(name))
    }

    fn check_histogram(&self, name: &str) -> Result<(), String> {
        let [bucket, count] = ["bucket", "count"].map(|suffix| format!("{name}_{suffix}"));
        for total in self.samples.iter().filter(|sample| sample.name == count) {
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            for sample in self.samples.iter().filter(|sample| sample.name == bucket) {
                let mut labels = sample.labels.clone();
                let bound = labels.remove("le").ok_or_else(|| format!("no le: {sample:?}"))?;
                if labels == total.labels {
                    buckets.push((bound.parse().map_err(|_| bound)?, sample.value));
                }
            }
            let is_cumulative =
                buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
            if !is_cumulative || buckets.last() != Some(&(f64::INFINITY, total.value)) {
                return Err(format!("buckets of {total:?}: {buckets:?}"));
            }
        }
        Ok(())
    }

    /// Scrapes `url`. Blocks the thread.
    ///
    /// # Panics
    /// If the status is not 200 or the body is not in the Prometheus format.
    #[track_caller]
    pub fn of(url: impl Into<String>) -> Self {
        let reply = crate::http::get(url);
        assert_eq!(reply.status, 200, "{}", reply.body);
        Self::parse(&reply.body).unwrap_or_else(|error| panic!("{error}\n{}", reply.body))
    }

    /// Returns the samples of that name that have all of these labels.
    pub fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> + 'a {
        self.samples.iter().filter(move |sample| sample.name == name && sample.has(labels))
    }

    /// Returns the sum of the samples of that name that have all of these labels. `None` if there
    /// is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.matching(name, labels).map(|sample| sample.value).reduce(|one, other| one + other)
    }
}

fn has_label_twice(sample: &nom_openmetrics::Sample<'_>) -> bool {
    let names: BTreeSet<_> = sample.labels().iter().map(|label| label.name).collect();
    names.len() != sample.labels().len()
}

#[cfg(test)]
mod tests {
    use super::Scrape;

    #[test]
    fn prometheus_text_is_parsed_and_other_text_is_an_error() {
        let text = "# HELP runs_total Runs, \\\\ and all.\n# TYPE runs_total counter\n\
                    runs_total{id=\"a,b=\\\"c\\\"\",status=\"OK\"} 2\nruns_total{id=\"d\",status=\"OK\"} 3\n";
        let scrape = Scrape::parse(text).expect("well-formed");
        assert_eq!(scrape.families["runs_total"].kind, "counter");
        assert_eq!(scrape.value("runs_total", &[("status", "OK")]), Some(5.0));
        assert_eq!(scrape.value("runs_total", &[("id", "a,b=\"c\"")]), Some(2.0));
        assert_eq!(scrape.value("runs_total", &[("id", "e")]), None);
        assert!(Scrape::parse("runs_total{id=} 2\n").is_err());
        assert!(Scrape::parse("runs_total 2\nnot a sample\n").is_err());
        for invalid in [
            "runs_total{id=\"a\"} 1\nruns_total{id=\"a\"} 2\n",
            "runs_total{id=\"a\",id=\"b\"} 1\n",
            "runs_total{le=\"a\"} 1\n",
            "# TYPE t histogram\nt_bucket{le=\"1\"} 2\nt_bucket{le=\"+Inf\"} 1\nt_sum 1\nt_count 1\n",
        ] {
            assert!(Scrape::parse(invalid).is_err(), "{invalid}");
        }
    }
}
