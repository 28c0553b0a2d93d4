//! The body of a response, whose frames pass through the unit of its call.

use crate::openai::exchange::SharedOutbox;
use crate::openai::layer::CallUnit;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

/// A body with the same frames. Dropped before its end, it ends the call CANCELLED.
pub(super) struct ObservedBody<E> {
    /// `None` when the call has ended: the rest passes directly. Never locked: reqwest requires a
    /// body that is `Sync`, which a unit is not.
    unit: Mutex<Option<CallUnit>>,
    has_ended: bool,
    outbox: SharedOutbox<E>,
}

impl<E> ObservedBody<E> {
    pub(super) fn new(unit: Option<CallUnit>, outbox: SharedOutbox<E>) -> Self {
        Self { has_ended: unit.is_none(), unit: Mutex::new(unit), outbox }
    }
}

impl<E> Body for ObservedBody<E> {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let this = self.get_mut();
        let running = this.unit.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(unit) = running else {
            return match &mut this.outbox.lock().body {
                Some(body) => Pin::new(body).poll_frame(task),
                None => Poll::Ready(None),
            };
        };
        let has_ended = unit.as_mut().poll(task).is_ready();
        if has_ended {
            *running = None;
            this.has_ended = true;
        }
        match this.outbox.lock().frame.take() {
            Some(frame) => Poll::Ready(Some(frame)),
            None if has_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        // The call ends by a poll.
        self.has_ended && self.outbox.lock().body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.outbox.lock().body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
