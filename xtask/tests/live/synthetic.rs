//! Metrics of a service with 20 workflows and 20 agents, as blocks of a TSDB and as a live target.

use crate::query::Query;
use crate::stack::tool;
use hub_otel::semconv::{InstrumentKind, METRICS, Metric};
use hub_otel_tests::process::command;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use xtask::stack::increments;

/// Workflows, and agents.
const UNITS: usize = 20;
/// Interval of the scrapes, and of the rules that record increments, in seconds.
const SCRAPE: u64 = 10;
const MINUTE: u64 = 60;
/// Range of a block, in seconds.
const BLOCK: u64 = 7_200;
/// Age of the process at the Unix epoch plus this many seconds is 0.
const START: u64 = 1_700_000_000;

/// One series: name and labels, and how fast it grows.
struct Series {
    name: String,
    /// Increase within one scrape interval. A gauge has 0.
    rate: u64,
    /// Recorded by a rule, and therefore the increase of one minute.
    recorded: bool,
}

impl Series {
    fn metric(&self) -> &str {
        self.name.split('{').next().unwrap_or_default()
    }

    fn value(&self, time: u64) -> u64 {
        match (self.recorded, self.rate) {
            (true, rate) => rate + u64::from((time / MINUTE).is_multiple_of(7)),
            (false, 0) => 1,
            (false, rate) => (time - START) / SCRAPE * rate,
        }
    }
}

/// Writes the series of the last hours into `data`, one block per two hours: those that `queries`
/// read as often as they are scraped. Returns the number of series as scraped, and of all samples.
pub(crate) fn write_blocks(data: &Path, hours: u64, now: u64, queries: &[Query]) -> (usize, u64) {
    // What only the rules read has a sample per minute: no query over a range reaches it.
    let (shown, others): (Vec<Series>, Vec<Series>) = raw("127.0.0.1:1")
        .into_iter()
        .partition(|series| queries.iter().any(|it| it.expression.contains(series.metric())));
    let (scraped, recorded) = (shown.len() + others.len(), recorded());
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("samples.txt");
    let mut samples = 0;
    let mut from = (now - hours * 3_600) / SCRAPE * SCRAPE;
    while from < now {
        let until = (from / BLOCK * BLOCK + BLOCK).min(now);
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&text).expect("created"));
        for (series, interval) in [(&shown, SCRAPE), (&others, MINUTE), (&recorded, MINUTE)] {
            for series in series {
                let mut time = from.next_multiple_of(interval);
                while time < until {
                    let value = series.value(time);
                    writeln!(file, "{} {value} {time}", series.name).expect("written");
                    (samples, time) = (samples + 1, time + interval);
                }
            }
        }
        writeln!(file, "# EOF").expect("written");
        file.flush().expect("written");
        let blocks = command(tool("promtool"))
            .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
            .args([&text, data])
            .output()
            .expect("promtool runs");
        assert!(blocks.status.success(), "{}", String::from_utf8_lossy(&blocks.stderr));
        fs::remove_file(&text).expect("removed");
        from = until;
    }
    (scraped, samples)
}

/// Serves the metrics of one instance. Returns its port.
pub(crate) fn serve(clock: fn() -> u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let series = raw("");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4_096];
            let _gone = stream.read(&mut request);
            let time = clock();
            let mut body = String::new();
            for series in &series {
                writeln!(body, "{} {}", series.name, series.value(time)).expect("a string");
            }
            let _gone = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

/// Returns the series of all metrics of the contract, with job and instance unless the instance is
/// empty.
fn raw(instance: &str) -> Vec<Series> {
    let target = if instance.is_empty() {
        String::new()
    } else {
        format!(",job=\"orchestration-service\",instance=\"{instance}\"")
    };
    let service = format!(
        "service_name=\"orchestration-service\",service_namespace=\"commandcenter-hub\"{target}"
    );
    let mut all = Vec::new();
    for metric in METRICS {
        let name = metric.prometheus;
        let mut add = |name: String, labels: &str, rate| {
            let labels = if labels.is_empty() { String::new() } else { format!(",{labels}") };
            all.push(Series {
                name: format!("{name}{{{service}{labels}}}"),
                rate,
                recorded: false,
            });
        };
        for (labels, _) in combinations(metric.labels, &[]) {
            match metric.kind {
                InstrumentKind::Histogram => {
                    for (index, le) in bounds(metric).iter().enumerate() {
                        let separator = if labels.is_empty() { "" } else { "," };
                        let labels = format!("{labels}{separator}le=\"{le}\"");
                        add(format!("{name}_bucket"), &labels, index as u64 + 1);
                    }
                    let count = metric.buckets.len() as u64 + 1;
                    add(format!("{name}_count"), &labels, count);
                    add(format!("{name}_sum"), &labels, 100 * count);
                }
                InstrumentKind::Counter => add(name.to_owned(), &labels, 1),
                InstrumentKind::UpDownCounter | InstrumentKind::Gauge => {
                    let rate = if name == "process_uptime_seconds" { SCRAPE } else { 0 };
                    add(name.to_owned(), &labels, rate);
                }
            }
        }
    }
    all
}

/// Returns the series that the rules record once a minute.
fn recorded() -> Vec<Series> {
    let mut all = Vec::new();
    for increment in increments::all() {
        let metric = METRICS
            .iter()
            .find(|metric| increment.of.to_string() == format!("{}_bucket", metric.prometheus));
        let bounds = metric.map_or_else(Vec::new, bounds);
        for (labels, bucket) in combinations(increment.labels, &bounds) {
            let name = format!("{}{{{labels}}}", increment.name);
            // Buckets are cumulative: a higher bound counts at least as much.
            all.push(Series { name, rate: bucket as u64 / 4, recorded: true });
        }
    }
    all
}

fn bounds(metric: &Metric) -> Vec<String> {
    metric.buckets.iter().map(ToString::to_string).chain(["+Inf".to_owned()]).collect()
}

/// Returns all combinations of label values, each with the position of its bucket.
fn combinations(labels: &[&str], bounds: &[String]) -> Vec<(String, usize)> {
    let mut all = vec![(String::new(), 0)];
    for label in labels {
        let values: Vec<String> = match *label {
            "service.name" => vec!["orchestration-service".to_owned()],
            "workflow_id" | "agent_id" => (0..UNITS).map(|n| format!("unit-{n}")).collect(),
            "status" => ["SUCCESS", "FAILED"].map(str::to_owned).into(),
            "http.route" => (0..5).map(|n| format!("/api/route-{n}")).collect(),
            "result" => ["ok", "failed"].map(str::to_owned).into(),
            "signal" => ["spans", "logs", "metrics"].map(str::to_owned).into(),
            "le" => bounds.to_vec(),
            _ => vec!["one".to_owned()],
        };
        all = all
            .iter()
            .flat_map(|(before, _)| {
                values.iter().enumerate().map(move |(index, value)| {
                    let separator = if before.is_empty() { "" } else { "," };
                    let name = label.replace('.', "_");
                    (format!("{before}{separator}{name}=\"{value}\""), index)
                })
            })
            .collect();
    }
    all
}
