//! One request over the wire: its span, its duration, its W3C headers, and the drop guard that ends it.

use crate::http::client::{Call, Settings, redact, redirect_policy as refusal};
use crate::http::method::{Method, bare, status_kind, version};
use crate::instance::Instance;
use crate::instrumentation::is_suppressed;
use crate::semconv::{attribute as a, instrumentation as boundary, kv};
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

/// A request that was sent and not answered. Dropping it ends it.
pub(super) struct Attempt {
    context: Context,
    instance: Arc<Instance>,
    labels: Vec<KeyValue>,
    started: Instant,
    inside: bool,
    ended: bool,
}

impl Attempt {
    /// Opens the span and writes its context into the request's headers; `None` where telemetry is suppressed (an
    /// exporter's own requests).
    pub(super) fn begin(
        instance: &Arc<Instance>,
        settings: &Settings,
        request: &mut Request,
        call: Call,
    ) -> Option<Self> {
        let parent = Context::current();
        if parent.is_telemetry_suppressed() {
            return None;
        }
        let started = Instant::now();
        let method = instance.http_methods().of(request.method());
        let url = request.url();
        let mut labels = Vec::with_capacity(6);
        labels.push(kv(a::HTTP_REQUEST_METHOD, method.label()));
        if let Some(host) = url.host_str() {
            labels.push(kv(a::SERVER_ADDRESS, bare(host).to_owned()));
        }
        if let Some(port) = url.port_or_known_default() {
            labels.push(kv(a::SERVER_PORT, i64::from(port)));
        }
        if is_suppressed(&parent) {
            return Some(Self {
                context: parent,
                instance: instance.clone(),
                labels,
                started,
                inside: false,
                ended: false,
            });
        }
        let mut attributes = labels.clone();
        attributes.push(kv(a::URL_FULL, redact::url(url, settings, call.template)));
        if method == Method::Other {
            attributes
                .push(kv(a::HTTP_REQUEST_METHOD_ORIGINAL, request.method().as_str().to_owned()));
        }
        attributes.extend(call.template.map(|template| kv(a::URL_TEMPLATE, template)));
        if call.resends > 0 {
            attributes.push(kv(a::HTTP_REQUEST_RESEND_COUNT, i64::from(call.resends)));
        }
        let builder = SpanBuilder::from_name(method.span_name(call.template))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        #[expect(clippy::disallowed_methods, reason = "the one opener of HTTP client spans")]
        let span = instance.tracer.build_with_context(builder, &parent);
        let context = parent.with_span(span);
        let host = bare(request.url().host_str().unwrap_or_default()).to_owned();
        let guard = context.clone().attach();
        settings.baggage.inject(&host, request.headers_mut());
        drop(guard);
        Some(Self {
            context,
            instance: instance.clone(),
            labels,
            started,
            inside: false,
            ended: false,
        })
    }

    /// Waits for the response's head inside the span, and ends it.
    pub(super) async fn watch(
        mut self,
        sent: impl Future<Output = Result<Response, reqwest::Error>>,
    ) -> Result<Response, reqwest::Error> {
        let mut sent = pin!(sent);
        let result = poll_fn(|task| {
            self.inside = true;
            let guard = self.context.clone().attach();
            let poll = sent.as_mut().poll(task);
            drop(guard);
            self.inside = false;
            poll
        })
        .await;
        match &result {
            Ok(response) => self.answered(response),
            Err(error) => {
                self.refused(error);
                self.end(Some(kind(error).into()));
            }
        }
        result
    }

    fn answered(&mut self, response: &Response) {
        let status = response.status();
        let protocol = kv(a::NETWORK_PROTOCOL_VERSION, version(response.version()));
        let code = kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        let span = self.context.span();
        if span.is_recording() {
            span.set_attributes([protocol.clone(), code.clone()]);
            if let Some(peer) = response.remote_addr() {
                span.set_attributes([
                    kv(a::NETWORK_PEER_ADDRESS, peer.ip().to_string()),
                    kv(a::NETWORK_PEER_PORT, i64::from(peer.port())),
                ]);
            }
        }
        self.labels.extend([protocol, code]);
        let refused = status.is_client_error() || status.is_server_error();
        self.end(refused.then(|| status_kind(status)));
    }

    /// A redirect that is an error was an answer too: its status is known.
    fn refused(&mut self, error: &reqwest::Error) {
        if let Some(status) = refusal::status()
            && (error.is_redirect() || error.is_builder())
        {
            let code = kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
            self.context.span().set_attribute(code.clone());
            self.labels.push(code);
        }
    }

    fn end(&mut self, error: Option<Cow<'static, str>>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let span = self.context.span();
        if let Some(error) = error {
            let error = kv(a::ERROR_TYPE, error);
            span.set_attribute(error.clone());
            span.set_status(Status::error(""));
            self.labels.push(error);
        }
        self.instance
            .http_client()
            .duration
            .record(self.started.elapsed().as_secs_f64(), &self.labels);
        span.end();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.end(Some(if self.inside { boundary::PANIC } else { boundary::CANCELLED }.into()));
    }
}

/// What went wrong, as a kind. The error's text has the URL in it.
fn kind(error: &reqwest::Error) -> &'static str {
    use boundary::client as c;
    match () {
        () if error.is_timeout() => boundary::TIMEOUT,
        () if error.is_dns() => c::DNS,
        () if error.is_connect() => c::CONNECT,
        () if error.is_redirect() => c::REDIRECT,
        () if error.is_builder() => c::BUILDER,
        () if error.is_body() => boundary::BODY,
        () if error.is_decode() => c::DECODE,
        () if error.is_request() => c::REQUEST,
        () => boundary::OTHER,
    }
}
