//! The body of a response: the request ends with it.

use crate::http::server::in_flight::InFlight;
use crate::semconv::error_type;
use bytes::Buf;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use http_types::header;
use http_types::response;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

pin_project! {
    /// A response body that ends the span of its request.
    ///
    /// ```
    /// use hub_otel::http::ServerBody;
    /// use http_body::Body;
    ///
    /// /// A layer outside of hub-otel's reads the declared length.
    /// fn declared_length<B: Body>(body: &ServerBody<B>) -> Option<u64>
    /// where
    ///     ServerBody<B>: Body,
    /// {
    ///     body.size_hint().exact()
    /// }
    /// ```
    pub struct ServerBody<B> {
        #[pin]
        inner: B,
        request: Option<Box<InFlight>>,
        // The unsent bytes of a declared length. hyper stops polling when there are none left.
        remaining: Option<u64>,
    }
}

impl<B> std::fmt::Debug for ServerBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBody")
            .field("tracked", &self.request.is_some())
            .finish_non_exhaustive()
    }
}

impl<B: Body> ServerBody<B> {
    pub(super) fn untracked(inner: B) -> Self {
        Self { inner, request: None, remaining: None }
    }

    pub(super) fn tracked(inner: B, head: &response::Parts, request: Box<InFlight>) -> Self {
        let declared = head
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let remaining = declared.or_else(|| inner.size_hint().exact());
        let request = request.respond(head, inner.is_end_stream() || remaining == Some(0));
        Self { inner, request, remaining }
    }
}

impl<B: Body> Body for ServerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(request) = this.request.as_mut() else {
            return this.inner.poll_frame(task);
        };
        let frame = ready!(request.poll(|| this.inner.as_mut().poll_frame(task)));
        let end = match &frame {
            None => Some(None),
            Some(Err(_)) => Some(Some(error_type::BODY)),
            Some(Ok(frame)) => {
                if let (Some(remaining), Some(data)) = (this.remaining.as_mut(), frame.data_ref()) {
                    *remaining = remaining.saturating_sub(data.remaining() as u64);
                }
                (*this.remaining == Some(0) || this.inner.is_end_stream()).then_some(None)
            }
        };
        if let Some(error_type) = end
            && let Some(request) = this.request.take()
        {
            request.finish(error_type);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
