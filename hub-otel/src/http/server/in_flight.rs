//! One request, up to the end of the response's body: its span, its metrics, and the drop guard
//! that ends it exactly once.

use crate::http::method::{Method, protocol_version, status_error_type};
use crate::http::server::attributes;
use crate::http::server::forwarded::Forwarded;
use crate::http::server::metrics::{Labels, Route, Scheme};
use crate::http::server::settings::ServerSettings;
use crate::instance::Instance;
use crate::semconv::{attribute as a, error_type, kv};
use crate::unit::ambient::AmbientSpan;
use axum::extract::MatchedPath;
use http_types::Request;
use http_types::StatusCode;
use http_types::response;
use opentelemetry::Context;
use opentelemetry::metrics::BoundUpDownCounter;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

/// A request whose response has not been sent. Dropping it ends it.
///
/// Boxed where it is created: it moves from the service to the future, and on to the body.
pub(super) struct InFlight {
    context: Context,
    /// The current span of `tracing` while the router or the body is polled, from the first poll.
    ambient: Option<AmbientSpan>,
    instance: Arc<Instance>,
    settings: Arc<ServerSettings>,
    active: Arc<BoundUpDownCounter<i64>>,
    route: Arc<Route>,
    method: Method,
    scheme: Scheme,
    version: &'static str,
    status: Option<StatusCode>,
    started: Instant,
    /// The router or the body is being polled. Still set in `drop`: it panicked.
    is_polling: bool,
    ended: bool,
}

impl InFlight {
    pub(super) fn start<B>(
        instance: Arc<Instance>,
        settings: Arc<ServerSettings>,
        local: Context,
        request: &Request<B>,
    ) -> Box<Self> {
        let started = Instant::now();
        let metrics = instance.http_server();
        let route =
            metrics.route(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
        let method = instance.http_methods().of(request.method());
        let forwarded = Forwarded::read(request.headers(), settings.trusted_proxies);
        let scheme = attributes::scheme(&settings, request, &forwarded);
        let active = metrics.active(&method, scheme);
        let parent = settings.trust.extract(
            request.headers(),
            local,
            instance.options.propagation,
            &instance.propagators,
        );
        let mut builder = SpanBuilder::from_name(method.span_name(route.template.as_deref()))
            .with_kind(SpanKind::Server)
            .with_attributes(attributes::at_start(
                metrics, &settings, request, &forwarded, &method, scheme, &route,
            ));
        if !parent.links.is_empty() {
            builder = builder.with_links(parent.links);
        }
        #[expect(clippy::disallowed_methods, reason = "the only opener of HTTP server spans")]
        let span = instance.tracer.build_with_context(builder, &parent.context);
        active.add(1);
        Box::new(Self {
            context: parent.context.with_span(span),
            ambient: None,
            active,
            route,
            method,
            scheme,
            version: protocol_version(request.version()),
            status: None,
            started,
            is_polling: false,
            ended: false,
            instance,
            settings,
        })
    }

    /// Polls the router or the body with the context of the request attached.
    pub(super) fn poll<R>(&mut self, code: impl FnOnce() -> R) -> R {
        self.is_polling = true;
        let guard = self.context.clone().attach();
        match &self.ambient {
            None => self.ambient.insert(AmbientSpan::default()).open_request(),
            Some(ambient) if ambient.is_open() => ambient.enter(),
            Some(_) => {}
        }
        let entered = self.ambient.as_ref().map(Entered);
        let result = code();
        drop(entered);
        drop(guard);
        self.is_polling = false;
        result
    }

    /// Records the head of the response. Returns the guard if there is a body to wait for.
    pub(super) fn respond(
        mut self: Box<Self>,
        head: &response::Parts,
        body_has_ended: bool,
    ) -> Option<Box<Self>> {
        self.status = Some(head.status);
        for name in &self.settings.response_headers {
            if let Some(header) =
                attributes::header_attribute(a::HTTP_RESPONSE_HEADER, name, &head.headers)
            {
                self.context.span().set_attribute(header);
            }
        }
        let code = head.status;
        let handed_over = code == StatusCode::SWITCHING_PROTOCOLS
            || (self.method.is(&http_types::Method::CONNECT) && code.is_success());
        let without_body = self.method.is(&http_types::Method::HEAD)
            || code.is_informational()
            || code == StatusCode::NO_CONTENT
            || code == StatusCode::NOT_MODIFIED;
        if body_has_ended || handed_over || without_body {
            self.finish(None);
            return None;
        }
        Some(self)
    }

    /// Ends the request. `error_type` is an error other than the status code.
    pub(super) fn finish(mut self, error_type: Option<&'static str>) {
        self.end(error_type);
    }

    fn end(&mut self, error_type: Option<&'static str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        // Before the span ends: a processor that logs must not find the request's span in it.
        if let Some(ambient) = &self.ambient {
            ambient.close();
        }
        let error: Option<Cow<'static, str>> = match (error_type, self.status) {
            (Some(error_type), _) => Some(error_type.into()),
            (None, Some(status)) if status.is_server_error() => Some(status_error_type(status)),
            (None, _) => None,
        };
        let span = self.context.span();
        if span.is_recording() {
            if let Some(status) = self.status {
                span.set_attribute(kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
            }
            if let Some(error) = &error {
                span.set_attribute(kv(a::ERROR_TYPE, error.clone()));
                span.set_status(Status::error(""));
            }
        }
        let labels = Labels {
            method: self.method.clone(),
            scheme: self.scheme,
            version: self.version,
            status: self.status.map(|status| status.as_u16()),
            error,
        };
        // Recorded before the span ends: an ended span always has its measurement.
        self.instance.http_server().record(&self.route, labels, self.started.elapsed());
        self.active.add(-1);
        span.end();
    }
}

/// Leaves the span when dropped, also by a panic.
struct Entered<'a>(&'a AmbientSpan);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.exit();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.end(Some(if self.is_polling { error_type::PANIC } else { error_type::CANCELLED }));
    }
}
