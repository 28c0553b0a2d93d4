//! One request on the wire: its span, its duration, its propagation headers, and the drop guard
//! that ends it.

use crate::http::client::redirect;
use crate::http::client::settings::{CallOptions, ClientSettings};
use crate::http::method::{Method, protocol_version, status_error_type, strip_brackets};
use crate::instance::Instance;
use crate::instrumentation::is_suppressed;
use crate::semconv::{attribute as a, error_type as error_types, kv};
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use reqwest::Request;
use reqwest::Response;
use std::borrow::Cow;
use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

/// A request that was sent and has no response yet. Dropping it ends it.
pub(super) struct Attempt {
    context: Context,
    instance: Arc<Instance>,
    labels: Vec<KeyValue>,
    started: Instant,
    /// reqwest is being polled. Still set in `drop`: reqwest panicked.
    is_polling: bool,
    ended: bool,
}

impl Attempt {
    /// Opens the span and writes its context to the headers of the request; `None` if telemetry is
    /// suppressed (the requests of an exporter).
    pub(super) fn start(
        instance: &Arc<Instance>,
        settings: &ClientSettings,
        request: &mut Request,
        options: CallOptions,
    ) -> Option<Self> {
        let parent = Context::current();
        if parent.is_telemetry_suppressed() {
            return None;
        }
        let started = Instant::now();
        let method = instance.http_methods().of(request.method());
        let labels = labels(&method, request);
        let mut attempt = Self {
            context: parent,
            instance: instance.clone(),
            labels,
            started,
            is_polling: false,
            ended: false,
        };
        // Under an excluded server request there is a measurement and no span.
        if !is_suppressed(&attempt.context) {
            attempt.open_span(settings, &method, request, options);
            if settings.no_propagation {
                return Some(attempt);
            }
            let host = strip_brackets(request.url().host_str().unwrap_or_default()).to_owned();
            let guard = attempt.context.clone().attach();
            settings.baggage.inject(&host, request.headers_mut());
            drop(guard);
        }
        Some(attempt)
    }

    fn open_span(
        &mut self,
        settings: &ClientSettings,
        method: &Method,
        request: &Request,
        options: CallOptions,
    ) {
        let mut attributes = self.labels.clone();
        let url = settings.redact_url(request.url(), options.template);
        attributes.push(kv(a::URL_FULL, url));
        if *method == Method::Other {
            let original = request.method().as_str().to_owned();
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

    /// Awaits the head of the response under the span, and ends the span.
    pub(super) async fn trace(
        mut self,
        sent: impl Future<Output = Result<Response, reqwest::Error>>,
    ) -> Result<Response, reqwest::Error> {
        let mut sent = pin!(sent);
        let result = poll_fn(|task| {
            self.is_polling = true;
            let guard = self.context.clone().attach();
            let poll = sent.as_mut().poll(task);
            drop(guard);
            self.is_polling = false;
            poll
        })
        .await;
        match &result {
            Ok(response) => self.succeed(response),
            Err(error) => self.fail(error),
        }
        result
    }

    fn succeed(&mut self, response: &Response) {
        let status = response.status();
        let version = kv(a::NETWORK_PROTOCOL_VERSION, protocol_version(response.version()));
        let code = kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        let span = self.context.span();
        if span.is_recording() {
            span.set_attributes([version.clone(), code.clone()]);
            if let Some(peer) = response.remote_addr() {
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

    fn fail(&mut self, error: &reqwest::Error) {
        // A redirect that was refused is a response too: its status is known.
        if let Some(status) = redirect::refused_status(error) {
            let code = kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
            self.context.span().set_attribute(code.clone());
            self.labels.push(code);
        }
        self.end(Some(error_type(error).into()));
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

/// Returns the attributes of span and metric that are known before the request is sent.
fn labels(method: &Method, request: &Request) -> Vec<KeyValue> {
    let url = request.url();
    let mut labels = Vec::with_capacity(6);
    labels.push(kv(a::HTTP_REQUEST_METHOD, method.label()));
    if let Some(host) = url.host_str() {
        labels.push(kv(a::SERVER_ADDRESS, strip_brackets(host).to_owned()));
    }
    if let Some(port) = url.port_or_known_default() {
        labels.push(kv(a::SERVER_PORT, i64::from(port)));
    }
    labels
}

/// Returns the `error.type` of an error. Its message is not used: it contains the URL.
fn error_type(error: &reqwest::Error) -> &'static str {
    use error_types::client as c;
    match () {
        () if error.is_timeout() => error_types::TIMEOUT,
        () if error.is_dns() => c::DNS,
        () if error.is_connect() => c::CONNECT,
        () if error.is_redirect() => c::REDIRECT,
        () if error.is_builder() => c::BUILDER,
        () if error.is_body() => error_types::BODY,
        () if error.is_decode() => c::DECODE,
        () if error.is_request() => c::REQUEST,
        () => error_types::OTHER,
    }
}
