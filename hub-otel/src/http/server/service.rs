//! The service around the router, and the future of a response.

use crate::http::server::attributes;
use crate::http::server::body::ServerBody;
use crate::http::server::in_flight::InFlight;
use crate::http::server::settings::ServerSettings;
use crate::instrumentation::{InstanceSource, suppress};
use crate::semconv::error_type;
use http_body::Body;
use http_types::Request;
use http_types::Response;
use opentelemetry::Context;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::task::ready;

/// The service of a [`ServerLayer`](super::ServerLayer).
///
/// ```
/// use hub_otel::http::{ServerLayer, ServerService};
/// use tower::Layer;
///
/// fn wrap(router: axum::Router) -> ServerService<axum::Router> {
///     ServerLayer::new().layer(router)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ServerService<S> {
    inner: S,
    settings: Arc<ServerSettings>,
    source: InstanceSource,
}

impl<S> ServerService<S> {
    pub(super) fn new(inner: S, settings: Arc<ServerSettings>, source: InstanceSource) -> Self {
        Self { inner, settings, source }
    }
}

impl<S, B, R> tower::Service<Request<B>> for ServerService<S>
where
    S: tower::Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<ServerBody<R>>;
    type Error = S::Error;
    type Future = ServerFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.settings.is_excluded(attributes::original_uri(&request).path()) {
            let context = Context::map_current(suppress);
            let guard = context.clone().attach();
            let future = self.inner.call(request);
            drop(guard);
            return ServerFuture { future, tracking: Tracking::Suppressed { context } };
        }
        let Some(instance) = self.source.resolve() else {
            return ServerFuture { future: self.inner.call(request), tracking: Tracking::Done };
        };
        let mut in_flight =
            InFlight::start(instance, self.settings.clone(), self.source.context(), &request);
        let future = in_flight.poll(|| self.inner.call(request));
        ServerFuture { future, tracking: Tracking::InFlight { request: in_flight } }
    }
}

enum Tracking {
    InFlight {
        request: Box<InFlight>,
    },
    /// An excluded request: nested calls start no traces.
    Suppressed {
        context: Context,
    },
    /// The response was returned, or there is no telemetry.
    Done,
}

pin_project! {
    /// The future of a response.
    ///
    /// ```
    /// use axum::{Router, body::Body};
    /// use hub_otel::http::{ServerFuture, ServerLayer};
    /// use http_types::Request;
    /// use tower::{Layer, Service};
    ///
    /// fn call(app: Router) {
    ///     let mut service = ServerLayer::new().layer(app);
    ///     let response: ServerFuture<_> = service.call(Request::new(Body::empty()));
    /// }
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct ServerFuture<F> {
        #[pin]
        future: F,
        tracking: Tracking,
    }
}

impl<F> std::fmt::Debug for ServerFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for ServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<ServerBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.tracking {
            Tracking::InFlight { request } => ready!(request.poll(|| this.future.poll(task))),
            Tracking::Suppressed { context } => {
                let guard = context.clone().attach();
                let poll = this.future.poll(task);
                drop(guard);
                ready!(poll)
            }
            Tracking::Done => ready!(this.future.poll(task)),
        };
        let request = match std::mem::replace(this.tracking, Tracking::Done) {
            Tracking::InFlight { request } => Some(request),
            Tracking::Suppressed { .. } | Tracking::Done => None,
        };
        Poll::Ready(match (result, request) {
            (Ok(response), None) => Ok(response.map(ServerBody::untracked)),
            (Err(error), None) => Err(error),
            (Ok(response), Some(request)) => {
                let (head, body) = response.into_parts();
                let body = ServerBody::tracked(body, &head, request);
                Ok(Response::from_parts(head, body))
            }
            (Err(error), Some(request)) => {
                request.finish(Some(error_type::OTHER));
                Err(error)
            }
        })
    }
}
