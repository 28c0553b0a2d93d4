//! OTLP/gRPC receiver that counts spans and log records, and keeps the first spans as text.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// Number of spans that are kept as text.
const KEPT: usize = 8;

pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Received>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Received(Mutex<Totals>);

/// Items that arrived so far.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub spans: usize,
    pub log_records: usize,
    /// The first spans as text.
    pub text: String,
}

impl Receiver {
    /// Starts a receiver on a free port.
    pub fn start() -> Self {
        let runtime = crate::manual_pipeline::start_runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let received = Arc::new(Received::default());
        let services = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::from_arc(received.clone()))
            .add_service(LogsServiceServer::from_arc(received.clone()));
        runtime.spawn(services.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, received, _runtime: runtime }
    }

    pub fn totals(&self) -> Totals {
        self.received.lock().clone()
    }
}

impl Received {
    fn lock(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut totals = self.lock();
        for resource in request.into_inner().resource_spans {
            for scope in resource.scope_spans {
                for span in scope.spans {
                    totals.spans += 1;
                    if totals.spans <= KEPT {
                        write_span(&mut totals.text, &span);
                    }
                }
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Received {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let scopes =
            request.into_inner().resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
        self.lock().log_records += scopes.map(|scope| scope.log_records.len()).sum::<usize>();
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// Writes a span without the values that differ between runs: ids, times and durations.
fn write_span(text: &mut String, span: &Span) {
    let status = span.status.clone().unwrap_or_default();
    let _ = writeln!(
        text,
        "span {} kind={} status={}/{}",
        span.name, span.kind, status.code, status.message
    );
    write_attributes(text, &span.attributes);
    for event in &span.events {
        let _ = writeln!(text, "  event {}", event.name);
        write_attributes(text, &event.attributes);
    }
    let dropped = span.dropped_attributes_count + span.dropped_events_count;
    let _ = writeln!(text, "  links={} dropped={dropped}", span.links.len());
}

fn write_attributes(text: &mut String, attributes: &[KeyValue]) {
    let mut lines: Vec<_> = attributes
        .iter()
        .map(|attribute| format!("    {} = {}\n", attribute.key, render(attribute)))
        .collect();
    lines.sort();
    text.extend(lines);
}

/// Renders a value such that strings and numbers differ: `"1"` and `1`.
fn render(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::IntValue(_)) if attribute.key.ends_with(".duration.ms") => {
            "a number".to_owned()
        }
        Some(Value::StringValue(text)) => format!("{text:?}"),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
