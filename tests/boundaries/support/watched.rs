//! Telemetry of the test's own, and the pictures of what it saw.

use super::picture::{self, Series};
use hub_otel::testing::{Capture, capture};
use hub_otel_tests::poll;
use opentelemetry_sdk::trace::SpanData;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);
const ACTIVE: &str = "http.server.active_requests";

pub(crate) struct Watched {
    capture: Capture,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self { capture: capture() }
    }

    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.capture.raw_spans()
    }

    pub(crate) fn series(&self) -> Vec<Series> {
        self.capture.raw_metrics().iter().flat_map(picture::series).collect()
    }

    /// The span with this name and kind.
    pub(crate) fn named(&self, name: &str, kind: &str) -> SpanData {
        let is =
            |span: &SpanData| span.name == name && format!("{:?}", span.span_kind).eq_ignore_ascii_case(kind);
        self.spans().into_iter().find(is).unwrap_or_else(|| panic!("no {kind} {name}:\n{}", self.tree()))
    }

    /// Spans with all their attributes.
    pub(crate) fn tree(&self) -> String {
        picture::tree(&self.spans(), |_| true)
    }

    /// Spans with what tells how they ended.
    pub(crate) fn short(&self) -> String {
        picture::tree(&self.spans(), |key| {
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

    /// Every series with its value: a histogram's is its count.
    pub(crate) fn table(&self) -> String {
        self.series().into_iter().map(|series| series.line + "\n").collect()
    }

    /// Whatever was recorded, in every detail.
    pub(crate) fn everything(&self) -> String {
        format!("{:#?}\n{:#?}", self.spans(), self.capture.raw_metrics())
    }

    /// Requests that are active now.
    pub(crate) fn active(&self) -> i64 {
        self.series().iter().filter(|series| series.metric == ACTIVE).map(|series| series.value).sum()
    }

    pub(crate) async fn until_active(&self, count: i64) {
        poll::until_async(WITHIN, async || self.active() == count).await;
    }

    pub(crate) async fn until_ended(&self, count: usize) {
        poll::until_async(WITHIN, async || self.spans().len() >= count).await;
    }

    /// Waits until no request is active: spans end with their requests.
    pub(crate) async fn idle(&self) {
        self.until_active(0).await;
    }
}
