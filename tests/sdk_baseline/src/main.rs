//! The plain SDK, set up as in its documentation: batch processors and OTLP exporters.
//!
//! `hub-otel-sdk-baseline <grpc|http> <what> [numbers]` exports to OTEL_EXPORTER_OTLP_ENDPOINT and
//! prints the results of the SDK and the resources used. The test counts the received items.

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry::{KeyValue, metrics::MeterProvider as _};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::io::Write as _;
use std::time::{Duration, Instant};

struct Sdk {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
    tracer: SdkTracer,
    sent: u64,
}

impl Sdk {
    fn start(grpc: bool) -> Self {
        let (spans, records, points) = if grpc {
            (
                SpanExporter::builder().with_tonic().build().expect("an exporter"),
                LogExporter::builder().with_tonic().build().expect("an exporter"),
                MetricExporter::builder().with_tonic().build().expect("an exporter"),
            )
        } else {
            (
                SpanExporter::builder().with_http().build().expect("an exporter"),
                LogExporter::builder().with_http().build().expect("an exporter"),
                MetricExporter::builder().with_http().build().expect("an exporter"),
            )
        };
        let traces = SdkTracerProvider::builder().with_batch_exporter(spans).build();
        let tracer = traces.tracer("bare");
        Self {
            traces,
            logs: SdkLoggerProvider::builder().with_batch_exporter(records).build(),
            metrics: SdkMeterProvider::builder().with_periodic_exporter(points).build(),
            tracer,
            sent: 0,
        }
    }

    fn emit(&mut self, count: u64) {
        let (logger, counter) = (
            self.logs.logger("bare"),
            self.metrics.meter("bare").u64_counter("test.items").build(),
        );
        for number in self.sent..self.sent + count {
            let id = format!("item-{number:07}");
            self.tracer.start(id.clone()).end();
            let mut record = logger.create_log_record();
            record.set_body(id.into());
            logger.emit(record);
            counter.add(1, &[]);
        }
        self.sent += count;
    }

    /// As its documentation does it: one after the other.
    fn stop(self) {
        let start = Instant::now();
        let answers = [
            format!("{:?}", self.traces.shutdown()),
            format!("{:?}", self.logs.shutdown()),
            format!("{:?}", self.metrics.shutdown()),
        ];
        print(format_args!("shutdown {} ms: {}", start.elapsed().as_millis(), answers.join("; ")));
        print(format_args!("peak {}", memory("VmHWM:")));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let text = |at: usize| arguments.get(at).map_or("", String::as_str);
    let number = |at: usize| text(at).parse::<u64>().unwrap_or(300);
    let grpc = text(1) == "grpc";
    // The exporter of tonic needs a tokio context. The blocking HTTP client must not have one.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let entered = grpc.then(|| runtime.enter());
    if text(2) == "current-thread" {
        drop(entered);
        return current_thread(grpc, number(3));
    }
    let mut sdk = Sdk::start(grpc);
    sdk.emit(10);
    print(format_args!("baseline {}", memory("VmRSS:")));
    match text(2) {
        "burst" => sdk.emit(number(3)),
        // `rate`, before, during and after the outage that the receiver has, in milliseconds.
        "steady" => steadily(&mut sdk, number(3), Duration::from_millis(number(4))),
        "forever" => steadily(&mut sdk, number(3), Duration::from_secs(3600)),
        "exit" => {
            sdk.emit(number(3));
            std::process::exit(3);
        }
        "drop" => {
            sdk.emit(number(3));
            return drop(sdk);
        }
        "ends" => ends(&sdk),
        "large" => large(&sdk, number(3)),
        "paced" => paced(&mut sdk, number(3), number(4)),
        other => panic!("unknown: {other}"),
    }
    sdk.stop();
}

fn print(line: impl std::fmt::Display) {
    println!("{line}");
    let _parent_is_gone = std::io::stdout().flush();
}

/// Shut down where the exporter runs on the runtime that is blocked by it.
fn current_thread(grpc: bool, count: u64) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let work = move || {
        let mut sdk = Sdk::start(grpc);
        sdk.emit(count);
        sdk.stop();
    };
    if grpc { runtime.block_on(async { work() }) } else { work() }
}

fn steadily(sdk: &mut Sdk, rate: u64, time: Duration) {
    let (start, before) = (Instant::now(), sdk.sent);
    while start.elapsed() < time {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
        sdk.emit(due.saturating_sub(sdk.sent - before));
        print(format_args!("ended {}", sdk.sent));
        // Paces the load: nothing is awaited.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The slowest `span.end()` but for one in a thousand, of the best of several rounds.
fn ends(sdk: &Sdk) {
    let rounds = (0..20).map(|_| {
        let mut times: Vec<_> = (0..2_000)
            .map(|_| {
                let mut span = sdk.tracer.start("ends");
                let start = Instant::now();
                span.end();
                start.elapsed()
            })
            .collect();
        times.sort();
        times[times.len() - 1 - times.len() / 1000]
    });
    print(format_args!("p999 {:?}", rounds.min().unwrap_or_default()));
}

fn large(sdk: &Sdk, count: u64) {
    for number in 0..count {
        let mut span = sdk.tracer.start(format!("item-{number:07}"));
        span.set_attribute(KeyValue::new("large", "x".repeat(1 << 20)));
        span.end();
    }
}

/// The same loop as `fault paced`.
fn paced(sdk: &mut Sdk, rate: u64, seconds: u64) {
    let (start, total) = (Instant::now(), rate * seconds);
    let (mut ended, mut work) = (0, 0_u64);
    while ended < total {
        let due = ((start.elapsed().as_secs_f64() * rate as f64) as u64)
            .min(total)
            .min(ended + rate / 500);
        while ended < due {
            let mut span = sdk.tracer.start("paced");
            for number in 0..2_000_u64 {
                work = work.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number);
            }
            span.set_attribute(KeyValue::new("work", i64::from(work as u32)));
            span.end();
            ended += 1;
        }
        // Paces the load: nothing is awaited.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn memory(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default()
        * 1024
}
