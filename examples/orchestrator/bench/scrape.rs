//! Scrapes a server's `/metrics` and parses the Prometheus text format.

use crate::reconcile;
use orchestrator::error_text::root_cause;
use orchestrator::terminal::Problem;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use url::Url;

/// Maximum time between the end of a span and its export (default of OTEL_BSP_SCHEDULE_DELAY plus a
/// margin).
const IDLE: Duration = Duration::from_millis(1250);
/// Maximum wait for an idle server.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The `/metrics` endpoints of all servers.
#[derive(Debug)]
pub(crate) struct Metrics {
    http: reqwest::Client,
    urls: Vec<Url>,
}

impl Metrics {
    pub(crate) fn new(urls: Vec<Url>) -> Result<Self, Problem> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build();
        Ok(Self { http: http?, urls })
    }

    /// Scrapes until the counters have not changed for [`IDLE`]: a span that was measured before
    /// the first scrape and is exported after it would make the comparison fail.
    pub(crate) async fn scrape_when_idle(&self) -> Result<Scrape, Problem> {
        let started = Instant::now();
        let (mut unchanged_since, mut last) = (started, self.scrape().await?);
        while unchanged_since.elapsed() < IDLE && started.elapsed() < IDLE_TIMEOUT {
            tokio::time::sleep(IDLE / 5).await;
            let now = self.scrape().await?;
            if reconcile::count_recorded(&now) != reconcile::count_recorded(&last) {
                unchanged_since = Instant::now();
            }
            last = now;
        }
        Ok(last)
    }

    /// Scrapes all servers. A sum is that of all of them.
    pub(crate) async fn scrape(&self) -> Result<Scrape, Problem> {
        let pages = self.urls.iter().map(|url| self.scrape_one(url));
        let pages = futures_util::future::try_join_all(pages).await?;
        Ok(Scrape { samples: pages.into_iter().flat_map(|page| page.samples).collect() })
    }

    async fn scrape_one(&self, url: &Url) -> Result<Scrape, Problem> {
        let problem = |reason| {
            Problem::failure(format!(
                "no metrics from {url}: {reason}; set the URL of the server's metrics with --metrics"
            ))
        };
        let failed = |error| problem(root_cause(error));
        let response = self.http.get(url.clone()).send().await.map_err(failed)?;
        let text = response.error_for_status().map_err(failed)?.text().await.map_err(failed)?;
        Scrape::parse(&text).map_err(problem)
    }
}

/// The samples of one scrape.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrape {
    samples: Vec<Sample>,
}

/// One sample line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// Name of the series, including a suffix `_bucket`, `_sum` or `_count`.
    pub(crate) name: String,
    /// Label names and values.
    pub(crate) labels: BTreeMap<String, String>,
    /// Value of the sample.
    pub(crate) value: f64,
}

impl Scrape {
    /// Parses the Prometheus text format.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
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

    /// Sums a series over every label set that contains `labels`.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// Iterates over the samples of a series whose labels contain `labels`.
    pub(crate) fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        })
    }

    /// Counts the label combinations of a metric, without `le` and the target's labels. Buckets,
    /// sum and count are one combination.
    pub(crate) fn combinations(&self, family: &str) -> usize {
        let series: BTreeSet<Vec<(&String, &String)>> = self
            .samples
            .iter()
            .filter(|sample| is_series_of(&sample.name, family))
            .map(|sample| sample.labels.iter().filter(|(key, _)| !is_target_label(key)).collect())
            .collect();
        series.len()
    }
}

fn is_series_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|suffix| matches!(suffix, "" | "_bucket" | "_sum" | "_count"))
}

/// Returns whether a label names the scraped target or a bucket.
fn is_target_label(key: &str) -> bool {
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
    fn samples_are_summed_over_all_other_labels() {
        let scrape = Scrape::parse(TEXT).unwrap();
        assert_eq!(scrape.sum("workflow_runs_total", &[]), 4.0);
        assert_eq!(scrape.sum("workflow_runs_total", &[("status", "FAILED")]), 1.0);
        assert_eq!(scrape.sum("workflow_runs", &[]), 0.0);
        assert!(Scrape::parse("not a sample").is_err());
    }

    #[test]
    fn a_histogram_has_one_combination_per_label_set() {
        let scrape = Scrape::parse(TEXT).unwrap();
        assert_eq!(scrape.combinations("workflow_runs_total"), 2);
        assert_eq!(scrape.combinations("workflow_duration_milliseconds"), 1);
        assert_eq!(scrape.combinations("workflow_duration"), 0);
    }
}
