//! What a request meets.

use super::record::{Request, Signal};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;
use tonic::Code;

/// What a request meets.
#[derive(Debug, Clone, PartialEq)]
pub enum Behaviour {
    /// Stores, and says so.
    Accept,
    /// Stores after a while, and says so.
    AcceptAfter(Duration),
    /// Stores all items but the last `rejected`, and says so in a partial success.
    Partial {
        /// How many items it rejects.
        rejected: u64,
        /// What it says about them.
        message: &'static str,
    },
    /// As [`Partial`](Self::Partial), in a reply that is packed, which nobody asked for.
    PackedPartial {
        /// How many items it rejects.
        rejected: u64,
        /// `gzip` or `zstd`.
        encoding: &'static str,
    },
    /// Refuses with an HTTP status, whatever the protocol: to gRPC, what a proxy in between would
    /// answer.
    Http {
        /// The status code.
        status: u16,
        /// The Retry-After header.
        retry_after: Option<String>,
    },
    /// Refuses with a gRPC code; HTTP requests meet 500.
    Grpc {
        /// The code.
        code: Code,
        /// The delay of a RetryInfo in the status' details.
        retry_info: Option<Duration>,
    },
    /// Never answers, stores nothing.
    Hang,
    /// Stores, then resets the connection instead of a reply.
    ResetBeforeReply,
    /// Stores, replies, then resets the connection.
    ResetAfterReply,
    /// Stores, sends half of the reply, then nothing more; the connection stays open.
    HalfReply,
    /// Stores, and replies at one byte a second.
    Drip,
    /// Stores, and replies with a body of that many bytes.
    Huge(usize),
    /// Stores, and replies with a small gzip body that unpacks to that many bytes.
    Bomb(usize),
    /// Stores, and replies 200 with bytes that are no OTLP.
    Garbage,
}

impl Behaviour {
    /// An HTTP status without Retry-After.
    pub fn status(status: u16) -> Self {
        Self::Http { status, retry_after: None }
    }

    /// An HTTP status with Retry-After.
    pub fn retry_after(status: u16, retry_after: impl Into<String>) -> Self {
        Self::Http { status, retry_after: Some(retry_after.into()) }
    }

    /// A gRPC code without RetryInfo.
    pub fn code(code: Code) -> Self {
        Self::Grpc { code, retry_info: None }
    }

    /// A gRPC code with RetryInfo.
    pub fn retry_info(code: Code, delay: Duration) -> Self {
        Self::Grpc { code, retry_info: Some(delay) }
    }

    /// Whether the request's items are stored.
    pub fn stores(&self) -> bool {
        !matches!(self, Self::Http { .. } | Self::Grpc { .. } | Self::Hang)
    }

    pub(super) fn rejected(&self) -> u64 {
        match self {
            Self::Partial { rejected, .. } | Self::PackedPartial { rejected, .. } => *rejected,
            _ => 0,
        }
    }
}

type Decide = Box<dyn FnMut(&Request) -> Behaviour + Send>;

/// The scripts per signal, and what comes after them.
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
