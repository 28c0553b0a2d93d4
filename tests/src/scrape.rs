//! Prometheus text as a table, by the parser `nom-openmetrics`, which rejects trailing input.

use nom_openmetrics::{MetricDescriptor, MetricType, parser};
use std::collections::BTreeMap;

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
        Ok(scrape)
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
    }
}
