//! The service with OpenTelemetry by hand: traces and log records by OTLP over gRPC, metrics at
//! `/metrics`. Fewer metrics than hub-otel's and no accounting of what is lost.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider};
use opentelemetry::trace::{FutureExt, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{Compression, LogExporter, SpanExporter, WithTonicConfig};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use prometheus::{Registry, TextEncoder};
use std::convert::Infallible;
use std::time::Instant;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

struct Units {
    tracer: SdkTracer,
    runs: Counter<u64>,
    duration: Histogram<f64>,
}

impl Units {
    async fn run<T, E: std::fmt::Display>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let context = Context::current_with_span(self.tracer.start(name));
        let started = Instant::now();
        let result = work.with_context(context.clone()).await;
        let status = match &result {
            Ok(_) => "SUCCESS",
            Err(error) => {
                context.span().set_status(Status::error(error.to_string()));
                "FAILED"
            }
        };
        let labels = [KeyValue::new("unit", name), KeyValue::new("status", status)];
        self.runs.add(1, &labels);
        self.duration.record(started.elapsed().as_secs_f64() * 1_000.0, &labels);
        context.span().end();
        result
    }
}

async fn nightly_report(units: &Units, customer: &str) -> Result<usize, std::io::Error> {
    let work = async { Ok(summarise(units, customer).await?.len()) };
    units.run("nightly_report", work).await
}

async fn summarise(units: &Units, customer: &str) -> Result<String, std::io::Error> {
    units.run("summarise", async { Ok(format!("nothing to report for {customer}")) }).await
}

async fn serve_metrics(registry: Registry) -> Result<(), std::io::Error> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 9464)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let registry = registry.clone();
        let service = service_fn(move |_| {
            let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap_or_default();
            async move { Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(text)))) }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spans = SpanExporter::builder().with_tonic().with_compression(Compression::Gzip).build()?;
    let tracers = SdkTracerProvider::builder().with_batch_exporter(spans).build();
    let records = LogExporter::builder().with_tonic().with_compression(Compression::Gzip).build()?;
    let loggers = SdkLoggerProvider::builder().with_batch_exporter(records).build();
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
    let meters = SdkMeterProvider::builder().with_reader(reader).build();
    tracing_subscriber::registry()
        .with(EnvFilter::from_default_env())
        .with(fmt::layer())
        .with(OpenTelemetryTracingBridge::new(&loggers))
        .init();
    tokio::spawn(serve_metrics(registry));

    let meter = meters.meter("service");
    let units = Units {
        tracer: tracers.tracer("service"),
        runs: meter.u64_counter("runs").build(),
        duration: meter.f64_histogram("duration").with_unit("ms").build(),
    };
    nightly_report(&units, "acme").await?;

    tracers.shutdown()?;
    loggers.shutdown()?;
    meters.shutdown()?;
    Ok(())
}
