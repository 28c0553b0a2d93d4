//! Destination of content.

use std::fmt;

/// Destination of the content of calls:
/// [`TelemetryBuilder::capture_content`](crate::TelemetryBuilder::capture_content).
///
/// `true` converts into [`Spans`](Self::Spans), `false` into [`None`](Self::None). `Display` gives
/// the value of OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT.
///
/// ```
/// use hub_otel::ContentCapture;
///
/// let builder = hub_otel::Telemetry::builder().capture_content(ContentCapture::Events);
/// assert_eq!(ContentCapture::from(true), ContentCapture::Spans);
/// assert_eq!(ContentCapture::Events.to_string(), "event_only");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ContentCapture {
    /// Nowhere.
    #[default]
    None,
    /// As attributes of spans.
    Spans,
    /// As attributes of the event `gen_ai.client.inference.operation.details`, a log record. It has
    /// the messages of calls of models; content of other spans is not recorded.
    Events,
    /// Both.
    SpansAndEvents,
}

impl ContentCapture {
    pub(crate) fn on_spans(self) -> bool {
        matches!(self, Self::Spans | Self::SpansAndEvents)
    }

    pub(crate) fn in_events(self) -> bool {
        matches!(self, Self::Events | Self::SpansAndEvents)
    }
}

impl From<bool> for ContentCapture {
    fn from(on: bool) -> Self {
        if on { Self::Spans } else { Self::None }
    }
}

impl fmt::Display for ContentCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no_content",
            Self::Spans => "span_only",
            Self::Events => "event_only",
            Self::SpansAndEvents => "span_and_event",
        })
    }
}
