//! Client of the HTTP API of Prometheus, with the requests that Grafana's data source sends.

use hub_otel_tests::http;
use hub_otel_tests::process::Process;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A running Prometheus.
pub(crate) struct Prometheus {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) _folder: TempDir,
}

/// Result of a query: values by labels without `__name__`, and the duration of the request.
pub(crate) struct Answer {
    pub(crate) series: BTreeMap<String, Vec<f64>>,
    pub(crate) took: Duration,
}

impl Answer {
    /// Returns the last value of each series.
    pub(crate) fn last(&self) -> BTreeMap<String, f64> {
        self.series
            .iter()
            .filter_map(|(labels, values)| values.last().map(|last| (labels.clone(), *last)))
            .collect()
    }

    /// Returns the last value if there is exactly one series.
    pub(crate) fn only(&self) -> Option<f64> {
        let last = self.last();
        if last.len() == 1 { last.into_values().next() } else { None }
    }
}

pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

impl Prometheus {
    /// Runs an instant query at the current time.
    pub(crate) fn instant(&self, expression: &str) -> Answer {
        self.request(&format!("query?time={}&query={}", now(), encoded(expression)), expression)
    }

    /// Runs a range query over the last `span`, with a step of 15 seconds.
    pub(crate) fn range(&self, expression: &str, span: Duration) -> Answer {
        self.range_by(expression, span, 15)
    }

    /// Runs a range query over the last `span`, with a step in seconds.
    pub(crate) fn range_by(&self, expression: &str, span: Duration, step: u64) -> Answer {
        let end = now();
        let start = end - span.as_secs_f64();
        let query = encoded(expression);
        let path = format!("query_range?start={start}&end={end}&step={step}&query={query}");
        self.request(&path, expression)
    }

    /// Returns the values of a label with the query of a dashboard variable.
    pub(crate) fn label_values(&self, label: &str, selector: &str) -> Vec<String> {
        let url =
            format!("{}/api/v1/label/{label}/values?match[]={}", self.url(), encoded(selector));
        let reply = http::get(url);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let body = reply.json();
        let values = body["data"].as_array().expect("a list");
        values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Returns the exemplars of a series in the last ten minutes.
    pub(crate) fn exemplars(&self, selector: &str) -> Value {
        let (start, end) = (now() - 600.0, now() + 60.0);
        let url = format!(
            "{}/api/v1/query_exemplars?start={start}&end={end}&query={}",
            self.url(),
            encoded(selector)
        );
        http::get(url).json()
    }

    /// Returns the names of firing alerts.
    pub(crate) fn firing(&self) -> Vec<String> {
        let reply = http::get(format!("{}/api/v1/alerts", self.url())).json();
        let alerts = reply["data"]["alerts"].as_array().expect("a list").iter();
        alerts
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn request(&self, path: &str, expression: &str) -> Answer {
        let start = Instant::now();
        let reply = http::get(format!("{}/api/v1/{path}", self.url()));
        let took = start.elapsed();
        assert_eq!(reply.status, 200, "{expression}\n{}", reply.body);
        let body = reply.json();
        assert!(body["warnings"].is_null(), "{expression}\n{}", body["warnings"]);
        let data = &body["data"];
        let result = data["result"].as_array().cloned().unwrap_or_default();
        let series = match data["resultType"].as_str() {
            Some("scalar") => BTreeMap::from([(String::new(), vec![number(&data["result"])])]),
            Some("matrix") => result
                .iter()
                .map(|series| {
                    let values =
                        series["values"].as_array().expect("values").iter().map(number).collect();
                    (labels(&series["metric"]), values)
                })
                .collect(),
            _ => result
                .iter()
                .map(|series| (labels(&series["metric"]), vec![number(&series["value"])]))
                .collect(),
        };
        Answer { series, took }
    }
}

fn number(pair: &Value) -> f64 {
    pair[1].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

fn labels(metric: &Value) -> String {
    let labels = metric.as_object().into_iter().flatten().filter(|(name, _)| *name != "__name__");
    labels
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join(",")
}

pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}
