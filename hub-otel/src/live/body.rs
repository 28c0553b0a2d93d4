//! Bodies of responses: bytes, or a stream of events.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_types::Response;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

pub(super) type LiveResponse = Response<LiveBody>;

/// Body of a response.
#[derive(Debug)]
pub(crate) enum LiveBody {
    /// All at once.
    Full(Option<Bytes>),
    /// Events, until the sender is dropped.
    Events(mpsc::Receiver<Bytes>),
}

impl From<Bytes> for LiveBody {
    fn from(bytes: Bytes) -> Self {
        Self::Full(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for LiveBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(events) => {
                events.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}
