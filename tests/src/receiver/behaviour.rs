//! Scripted behaviour of the receiver.

use super::record::{Request, Signal};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;
use tonic::Code;

/// Treatment of one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Behaviour {
    /// Stores and replies with success.
    Accept,
    /// Stores after a delay and replies with success.
    AcceptAfter(Duration),
    /// Stores all items but the last `rejected` and replies with a partial success.
    Partial {
        /// Number of rejected items.
        rejected: u64,
        /// Error message of the partial success.
        message: &'static str,
    },
    /// Like [`Partial`](Self::Partial), in a compressed reply that the client did not request.
    CompressedPartial {
        /// Number of rejected items.
        rejected: u64,
        /// `gzip` or `zstd`.
        encoding: &'static str,
    },
    /// Rejects with an HTTP status in every protocol. For gRPC, the response of a proxy in between.
    Http {
        /// The status code.
        status: u16,
        /// The Retry-After header.
        retry_after: Option<String>,
    },
    /// Does not store and replies with an HTML page of that status in every protocol, as a proxy in
    /// between does.
    Page(u16),
    /// Stores and replies with status 200, this content type and this body. HTTP only.
    Reply {
        /// The content type.
        content_type: &'static str,
        /// The body.
        body: &'static str,
    },
    /// Rejects with a gRPC code and status details that are not base64; HTTP requests with status
    /// 500.
    InvalidDetails {
        /// The code.
        code: Code,
        /// Sends the status in the trailers, after a message. Else in the head.
        in_trailers: bool,
    },
    /// Rejects with a gRPC code; HTTP requests with status 500.
    Grpc {
        /// The code.
        code: Code,
        /// Delay of the RetryInfo in the details of the status.
        retry_info: Option<Duration>,
    },
    /// Never replies, stores nothing.
    Hang,
    /// Stores and resets the connection without a reply.
    ResetBeforeReply,
    /// Stores, replies and resets the connection.
    ResetAfterReply,
    /// Stores and sends half of the reply; the connection stays open.
    HalfReply,
    /// Stores and replies at one byte per second.
    Drip,
    /// Stores and replies with a body of that many bytes.
    Huge(usize),
    /// Stores and replies with a small gzip body that decompresses to that many bytes.
    Bomb(usize),
    /// Stores and replies with status 200 and bytes that are not OTLP.
    Garbage,
}

impl Behaviour {
    /// Rejects with an HTTP status without Retry-After.
    pub fn status(status: u16) -> Self {
        Self::Http { status, retry_after: None }
    }

    /// Rejects with an HTTP status and Retry-After.
    pub fn retry_after(status: u16, retry_after: impl Into<String>) -> Self {
        Self::Http { status, retry_after: Some(retry_after.into()) }
    }

    /// Rejects with a gRPC code without RetryInfo.
    pub fn code(code: Code) -> Self {
        Self::Grpc { code, retry_info: None }
    }

    /// Rejects with a gRPC code and RetryInfo.
    pub fn retry_info(code: Code, delay: Duration) -> Self {
        Self::Grpc { code, retry_info: Some(delay) }
    }

    /// Returns whether the items of the request are stored.
    pub fn stores(&self) -> bool {
        !matches!(
            self,
            Self::Http { .. }
                | Self::Page(_)
                | Self::InvalidDetails { .. }
                | Self::Grpc { .. }
                | Self::Hang
        )
    }

    pub(super) fn rejected(&self) -> u64 {
        match self {
            Self::Partial { rejected, .. } | Self::CompressedPartial { rejected, .. } => *rejected,
            _ => 0,
        }
    }
}

type Decide = Box<dyn FnMut(&Request) -> Behaviour + Send>;

/// Scripts per signal, and the behaviour without a script.
#[derive(Default)]
pub(super) struct Script {
    next: HashMap<Signal, VecDeque<Behaviour>>,
    always: Option<Decide>,
}

impl Script {
    pub(super) fn push(&mut self, signal: Signal, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.next.entry(signal).or_default().extend(behaviours);
    }

    pub(super) fn decide(&mut self, decide: impl FnMut(&Request) -> Behaviour + Send + 'static) {
        self.always = Some(Box::new(decide));
    }

    pub(super) fn for_request(&mut self, request: &Request) -> Behaviour {
        if let Some(behaviour) = self.next.get_mut(&request.signal).and_then(VecDeque::pop_front) {
            return behaviour;
        }
        self.always.as_mut().map_or(Behaviour::Accept, |decide| decide(request))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("next", &self.next).finish_non_exhaustive()
    }
}
