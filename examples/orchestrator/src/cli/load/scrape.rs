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
    /// Reads Prometheus' text format; lines that are none of it are passed over.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(Sample::parse).collect();
        Self { samples }
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
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|own| own == value))
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
    name.strip_prefix(family).is_some_and(|suffix| matches!(suffix, "" | "_bucket" | "_sum" | "_count"))
}

/// Labels that say where a series was scraped, and the buckets' own.
fn of_the_target(key: &str) -> bool {
    matches!(key, "le" | "job" | "instance" | "service_name" | "service_namespace")
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (name, labels, rest) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, rest) = parse_labels(rest)?;
                (name, labels, rest)
            }
            None => {
                let (name, rest) = line.split_once(' ')?;
                (name, BTreeMap::new(), rest)
            }
        };
        let value = match rest.split_ascii_whitespace().next()? {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            number => number.parse().ok()?,
        };
        Some(Self { name: name.to_owned(), labels, value })
    }
}

/// Reads `key="value",…}` and gives back what follows the brace.
fn parse_labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (key, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = after.char_indices();
        loop {
            match characters.next()? {
                (end, '"') => {
                    rest = &after[end + 1..];
                    break;
                }
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        }
        labels.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# HELP workflow_runs_total Runs.
# TYPE workflow_runs_total counter
workflow_runs_total{service_name="orchestrator",status="SUCCESS",trigger_type="api",workflow_id="a"} 3
workflow_runs_total{service_name="orchestrator",status="FAILED",trigger_type="api",workflow_id="a"} 1
workflow_duration_milliseconds_bucket{workflow_id="a",status="SUCCESS",le="10"} 1
workflow_duration_milliseconds_bucket{workflow_id="a",status="SUCCESS",le="+Inf"} 3
workflow_duration_milliseconds_sum{workflow_id="a",status="SUCCESS"} 12.5
workflow_duration_milliseconds_count{workflow_id="a",status="SUCCESS"} 3
odd{text="a \"quoted\" \\ back\nslash,} and a brace"} 1e3
plain +Inf
not a sample
"#;

    #[test]
    fn samples_are_summed_over_the_labels_that_were_not_named() {
        let scrape = Scrape::parse(TEXT);
        assert_eq!(scrape.sum("workflow_runs_total", &[]), 4.0);
        assert_eq!(scrape.sum("workflow_runs_total", &[("status", "FAILED")]), 1.0);
        assert_eq!(scrape.sum("workflow_runs", &[]), 0.0);
        let odd: Vec<_> = scrape.matching("odd", &[]).collect();
        assert_eq!(odd[0].labels["text"], "a \"quoted\" \\ back\nslash,} and a brace");
        assert_eq!((odd[0].value, scrape.sum("plain", &[])), (1000.0, f64::INFINITY));
    }

    #[test]
    fn a_histogram_counts_as_one_combination_for_each_of_its_label_sets() {
        let scrape = Scrape::parse(TEXT);
        assert_eq!(scrape.combinations("workflow_runs_total"), 2);
        assert_eq!(scrape.combinations("workflow_duration_milliseconds"), 1);
        assert_eq!(scrape.combinations("workflow_duration"), 0);
    }
}
