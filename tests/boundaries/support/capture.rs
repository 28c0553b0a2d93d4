//! The telemetry of a test, with snapshots as text.

use super::snapshot;
use hub_otel::testing::{Capture, Metrics, Span, Spans, capture};
use hub_otel_tests::poll;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);
const ACTIVE: &str = "http.server.active_requests";

pub(crate) struct BoundaryCapture {
    capture: Capture,
}

impl BoundaryCapture {
    pub(crate) fn new() -> Self {
        Self { capture: capture() }
    }

    pub(crate) fn spans(&self) -> Spans {
        self.capture.spans()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.capture.metrics()
    }

    /// Returns the only span.
    pub(crate) fn only(&self) -> Span {
        let spans = self.spans();
        assert_eq!(spans.len(), 1, "{}", self.tree());
        spans.iter().next().unwrap().clone()
    }

    /// Returns the span with this name and kind.
    pub(crate) fn named(&self, name: &str, kind: &str) -> Span {
        let spans = self.spans();
        let found = spans.named(name).into_iter().find(|span| span.kind == kind).cloned();
        found.unwrap_or_else(|| panic!("no {kind} {name}:\n{}", self.tree()))
    }

    /// Renders the spans with all attributes.
    pub(crate) fn tree(&self) -> String {
        snapshot::tree(self.spans(), |_| true)
    }

    /// Renders the spans with the attributes of their outcome.
    pub(crate) fn outcomes(&self) -> String {
        snapshot::tree(self.spans(), |key| {
            matches!(
                key,
                "error.type"
                    | "http.response.status_code"
                    | "http.request.resend_count"
                    | "db.response.status_code"
                    | "db.response.returned_rows"
            )
        })
    }

    /// Renders the spans with their outcomes, and all series.
    pub(crate) fn snapshot(&self) -> String {
        format!("{}\n{}", self.outcomes(), self.table())
    }

    /// Renders all series with their values; the value of a histogram is its count.
    pub(crate) fn table(&self) -> String {
        let mut lines: Vec<String> = self.metrics().iter().map(snapshot::series).collect();
        lines.sort();
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Returns all recorded telemetry as text.
    pub(crate) fn debug(&self) -> String {
        format!("{:#?}\n{:#?}", self.spans(), self.metrics())
    }

    pub(crate) async fn until_active(&self, count: u32) {
        poll::until_async(WITHIN, async || self.metrics().value(ACTIVE, &[]) == f64::from(count))
            .await;
    }

    pub(crate) async fn until_ended(&self, count: usize) {
        poll::until_async(WITHIN, async || self.spans().len() >= count).await;
    }

    /// Waits until no request is active, then checks the conformance of the telemetry.
    pub(crate) async fn idle(&self) {
        self.until_active(0).await;
        self.capture.conformance().unwrap();
    }
}
