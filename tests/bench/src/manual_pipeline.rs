//! Export pipeline of the manual instrumentation: the SDK's batch processor with the official OTLP
//! exporter, and the Prometheus reader behind a listener.

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Encoder, TextEncoder};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::runtime::Runtime;

pub struct ManualPipeline {
    pub traces: SdkTracerProvider,
    pub metrics: SdkMeterProvider,
    pub metrics_address: SocketAddr,
    /// Runs the connection of the exporter.
    pub runtime: Runtime,
}

impl ManualPipeline {
    /// Starts the pipeline. The environment has the endpoint, the sampler and the queue size.
    pub fn start() -> Self {
        let runtime = start_runtime();
        let exporter = {
            let _entered = runtime.enter();
            build_exporter()
        };
        let traces = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        let registry = prometheus::Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // The names of the counters end with `_total` already.
            .without_counter_suffixes()
            .build()
            .expect("a new registry accepts the collector");
        let metrics =
            SdkMeterProvider::builder().with_resource(resource()).with_reader(reader).build();
        Self { traces, metrics, metrics_address: serve(registry), runtime }
    }

    /// Delivers all spans, also under callgrind on a busy machine.
    pub fn shutdown(self) {
        let delivered = self.traces.shutdown_with_timeout(Duration::from_secs(120));
        delivered.expect("the receiver accepts all spans");
    }
}

pub fn resource() -> Resource {
    Resource::builder().with_service_name("bench").build()
}

pub fn start_runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Builds the exporter. To be called inside a runtime.
pub fn build_exporter() -> SpanExporter {
    SpanExporter::builder().with_tonic().build().expect("the endpoint is a URL")
}

/// Serves `/metrics` on a free port.
fn serve(registry: prometheus::Registry) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let mut text = Vec::new();
            let _ = TextEncoder::new().encode(&registry.gather(), &mut text);
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&text));
        }
    });
    address
}
