//! One request on the wire: its span, its duration, its propagation headers, and the drop guard
//! that ends it.

use crate::http::client::settings::{CallOptions, ClientSettings};
use crate::http::client::target::Target;
use crate::http::method::{Method, protocol_version, status_error_type};
use crate::instance::Instance;
use crate::instrumentation::is_suppressed;
use crate::semconv::{attribute as a, error_type as error_types, kv};
use http_types::{HeaderMap, StatusCode, Version};
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// A request that was sent and has no response yet. Dropping it ends it.
pub(super) struct Attempt {
    context: Context,
    instance: Arc<Instance>,
    labels: Vec<KeyValue>,
    started: Instant,
    /// The host of the request whose headers get the context.
    injected_host: Option<Box<str>>,
    /// The client is being polled. Still set in `drop`: it panicked.
    is_polling: bool,
    ended: bool,
}

impl Attempt {
    /// Opens the span; `None` if telemetry is suppressed (the requests of an exporter).
    pub(super) fn start(
        instance: &Arc<Instance>,
        settings: &ClientSettings,
        request_method: &http_types::Method,
        target: &Target<'_>,
        options: CallOptions,
    ) -> Option<Self> {
        let parent = Context::current();
        if parent.is_telemetry_suppressed() {
            return None;
        }
        let started = Instant::now();
        let method = instance.http_methods().of(request_method);
        let labels = labels(&method, target);
        let mut attempt = Self {
            context: parent,
            instance: instance.clone(),
            labels,
            started,
            injected_host: None,
            is_polling: false,
            ended: false,
        };
        // Under an excluded server request there is a measurement and no span.
        if !is_suppressed(&attempt.context) {
            attempt.open_span(settings, &method, request_method, target, options);
            if !settings.no_propagation {
                attempt.injected_host = Some(target.address().into());
            }
        }
        Some(attempt)
    }

    /// Writes the context of the span to the headers of the request.
    pub(super) fn inject(&mut self, settings: &ClientSettings, headers: &mut HeaderMap) {
        if let Some(host) = self.injected_host.take() {
            let guard = self.context.clone().attach();
            settings.baggage.inject(&host, headers);
            drop(guard);
        }
    }

    fn open_span(
        &mut self,
        settings: &ClientSettings,
        method: &Method,
        request_method: &http_types::Method,
        target: &Target<'_>,
        options: CallOptions,
    ) {
        let mut attributes = self.labels.clone();
        let url = settings.redact_url(target, options.template);
        attributes.push(kv(a::URL_FULL, url));
        if *method == Method::Other {
            let original = request_method.as_str().to_owned();
            attributes.push(kv(a::HTTP_REQUEST_METHOD_ORIGINAL, original));
        }
        attributes.extend(options.template.map(|template| kv(a::URL_TEMPLATE, template)));
        if options.resend_count > 0 {
            let count = i64::from(options.resend_count);
            attributes.push(kv(a::HTTP_REQUEST_RESEND_COUNT, count));
        }
        let builder = SpanBuilder::from_name(method.span_name(options.template))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        #[expect(clippy::disallowed_methods, reason = "the only opener of HTTP client spans")]
        let span = self.instance.tracer.build_with_context(builder, &self.context);
        self.context = self.context.with_span(span);
    }

    /// Runs one poll of the client under the span.
    pub(super) fn poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        self.is_polling = true;
        let guard = self.context.clone().attach();
        let result = poll();
        drop(guard);
        self.is_polling = false;
        result
    }

    /// Ends the span with the head of a response.
    pub(super) fn succeed(&mut self, head: ResponseHead) {
        let ResponseHead { status, version, peer } = head;
        let version = kv(a::NETWORK_PROTOCOL_VERSION, protocol_version(version));
        let code = kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        let span = self.context.span();
        if span.is_recording() {
            span.set_attributes([version.clone(), code.clone()]);
            if let Some(peer) = peer {
                span.set_attributes([
                    kv(a::NETWORK_PEER_ADDRESS, peer.ip().to_string()),
                    kv(a::NETWORK_PEER_PORT, i64::from(peer.port())),
                ]);
            }
        }
        self.labels.extend([version, code]);
        let is_error = status.is_client_error() || status.is_server_error();
        self.end(is_error.then(|| status_error_type(status)));
    }

    /// Ends the span with an error. The status is known if the client refused a response.
    pub(super) fn fail(&mut self, error_type: &'static str, status: Option<StatusCode>) {
        if let Some(status) = status {
            let code = kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
            self.context.span().set_attribute(code.clone());
            self.labels.push(code);
        }
        self.end(Some(error_type.into()));
    }

    fn end(&mut self, error_type: Option<Cow<'static, str>>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let span = self.context.span();
        if let Some(error_type) = error_type {
            let error_type = kv(a::ERROR_TYPE, error_type);
            span.set_attribute(error_type.clone());
            span.set_status(Status::error(""));
            self.labels.push(error_type);
        }
        let duration = self.started.elapsed().as_secs_f64();
        self.instance.http_client().duration.record(duration, &self.labels);
        span.end();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let error_type = if self.is_polling { error_types::PANIC } else { error_types::CANCELLED };
        self.end(Some(error_type.into()));
    }
}

/// The head of a response.
pub(super) struct ResponseHead {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    /// The server, if the client reports it.
    pub(super) peer: Option<SocketAddr>,
}

/// Returns the attributes of span and metric that are known before the request is sent.
fn labels(method: &Method, target: &Target<'_>) -> Vec<KeyValue> {
    let mut labels = Vec::with_capacity(6);
    labels.push(kv(a::HTTP_REQUEST_METHOD, method.label()));
    if !target.host.is_empty() {
        labels.push(kv(a::SERVER_ADDRESS, target.address().to_owned()));
    }
    if let Some(port) = target.port_or_default() {
        labels.push(kv(a::SERVER_PORT, i64::from(port)));
    }
    labels
}
