//! Span kinds, as an enum of this crate: its API has no type of an OpenTelemetry 0.x crate.

/// Kind of a unit's span.
///
/// ```
/// # async fn handle() {}
/// # async fn example() {
/// use hub_otel::SpanKind;
///
/// hub_otel::workflow("import").kind(SpanKind::Consumer).run(handle()).await;
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanKind {
    /// Work inside the service. The default.
    #[default]
    Internal,
    /// Handles a request of a remote caller that waits for the response.
    Server,
    /// Sends a request to a remote service and waits for the response.
    Client,
    /// Creates a message that is handled later.
    Producer,
    /// Handles a message of a producer.
    Consumer,
}

impl SpanKind {
    pub(crate) fn into_otel(self) -> opentelemetry::trace::SpanKind {
        use opentelemetry::trace::SpanKind as Otel;
        match self {
            Self::Internal => Otel::Internal,
            Self::Server => Otel::Server,
            Self::Client => Otel::Client,
            Self::Producer => Otel::Producer,
            Self::Consumer => Otel::Consumer,
        }
    }
}
