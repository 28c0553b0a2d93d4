//! The service around the router, and the future of one response.

use crate::http::server::Settings;
use crate::http::server::body::ServerBody;
use crate::http::server::in_flight::InFlight;
use crate::instrumentation::{InstanceSource, suppress};
use crate::semconv::instrumentation as boundary;
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

/// What [`ServerLayer`](crate::http::server::ServerLayer) makes of a service.
#[derive(Debug, Clone)]
pub struct ServerService<S> {
    inner: S,
    settings: Arc<Settings>,
    target: InstanceSource,
}

impl<S> ServerService<S> {
    pub(super) fn new(inner: S, settings: Arc<Settings>, target: InstanceSource) -> Self {
        Self { inner, settings, target }
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
        if self.settings.is_excluded(request.uri().path()) {
            let context = Context::map_current(suppress);
            let guard = context.clone().attach();
            let future = self.inner.call(request);
            drop(guard);
            return ServerFuture { future, watch: Watch::Silent { context } };
        }
        let Some(instance) = self.target.resolve() else {
            return ServerFuture { future: self.inner.call(request), watch: Watch::Done };
        };
        let mut request_guard =
            InFlight::begin(instance, self.settings.clone(), self.target.context(), &request);
        let future = request_guard.run(|| self.inner.call(request));
        ServerFuture { future, watch: Watch::InFlight { request: request_guard } }
    }
}

enum Watch {
    InFlight { request: InFlight },
    Silent { context: Context },
    Done,
}

pin_project! {
    /// The future of one response.
    #[must_use = "futures do nothing unless polled"]
    pub struct ServerFuture<F> {
        #[pin]
        future: F,
        watch: Watch,
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
        let result = match this.watch {
            Watch::InFlight { request } => ready!(request.run(|| this.future.poll(task))),
            Watch::Silent { context } => {
                let guard = context.clone().attach();
                let poll = this.future.poll(task);
                drop(guard);
                ready!(poll)
            }
            Watch::Done => ready!(this.future.poll(task)),
        };
        let request = match std::mem::replace(this.watch, Watch::Done) {
            Watch::InFlight { request } => Some(request),
            Watch::Silent { .. } | Watch::Done => None,
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
                request.finish(Some(boundary::OTHER));
                Err(error)
            }
        })
    }
}
