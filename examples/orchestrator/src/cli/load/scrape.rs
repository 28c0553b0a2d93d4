//! Reads a server's `/metrics`, as far as the ledger needs it.

use std::collections::{BTreeMap, BTreeSet};

/// One scrape: every sample of the text.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    samples: Vec<Sample>,
}

/// One line of the exposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The series' name, with `_bucket`, `_sum` or `_count` where it has one.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Scrape {
    /// Reads Prometheus' text format.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (_, families) = nom_openmetrics::parser::prometheus(text)
            .map_err(|error| error.to_string().chars().take(200).collect::<String>())?;
        let samples = families.iter().flat_map(|family| &family.samples).map(|sample| Sample {
            name: sample.name().to_owned(),
            labels: sample
                .labels()
                .iter()
                .map(|label| (label.name.to_owned(), label.value.clone()))
                .collect(),
            value: sample.number(),
        });
        Ok(Self { samples: samples.collect() })
    }

    /// The sum of a series over every label set that has all of `labels`.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// The samples of a series that have all of `labels`.
    pub fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|own| own == value))
        })
    }

    /// How many label combinations a metric has: without `le` and the labels of the target, and with its buckets, sum
    /// and count taken as one.
    pub fn combinations(&self, family: &str) -> usize {
        let series: BTreeSet<Vec<(&String, &String)>> = self
            .samples
            .iter()
            .filter(|sample| is_of(&sample.name, family))
            .map(|sample| sample.labels.iter().filter(|(key, _)| !of_the_target(key)).collect())
            .collect();
        series.len()
    }
}

fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|suffix| matches!(suffix, "" | "_bucket" | "_sum" | "_count"))
}

/// Labels that say where a series was scraped, and the buckets' own.
fn of_the_target(key: &str) -> bool {
    matches!(key, "le" | "job" | "instance" | "service_name" | "service_namespace")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP workflow_runs_total Runs.
# TYPE workflow_runs_total counter
workflow_runs_total{service_name="orchestrator",status="SUCCESS",trigger_type="api",workflow_id="a"} 3
workflow_runs_total{service_name="orchestrator",status="FAILED",trigger_type="api",workflow_id="a"} 1
workflow_duration_milliseconds_bucket{workflow_id="a",status="SUCCESS",le="10"} 1
workflow_duration_milliseconds_bucket{workflow_id="a",status="SUCCESS",le="+Inf"} 3
workflow_duration_milliseconds_sum{workflow_id="a",status="SUCCESS"} 12.5
workflow_duration_milliseconds_count{workflow_id="a",status="SUCCESS"} 3
"#;

    #[test]
    fn samples_are_summed_over_the_labels_that_were_not_named() {
        let scrape = Scrape::parse(TEXT).unwrap();
        assert_eq!(scrape.sum("workflow_runs_total", &[]), 4.0);
        assert_eq!(scrape.sum("workflow_runs_total", &[("status", "FAILED")]), 1.0);
        assert_eq!(scrape.sum("workflow_runs", &[]), 0.0);
        assert!(Scrape::parse("not a sample").is_err());
    }

    #[test]
    fn a_histogram_counts_as_one_combination_for_each_of_its_label_sets() {
        let scrape = Scrape::parse(TEXT).unwrap();
        assert_eq!(scrape.combinations("workflow_runs_total"), 2);
        assert_eq!(scrape.combinations("workflow_duration_milliseconds"), 1);
        assert_eq!(scrape.combinations("workflow_duration"), 0);
    }
}
