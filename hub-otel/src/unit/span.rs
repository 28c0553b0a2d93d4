//! Span of a sampled unit: the SDK's span, which only the end of the unit ends.

use crate::instance::SdkSpan;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanContext, Status};
#[cfg(feature = "sdk")]
use opentelemetry_sdk::trace::SpanData;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Span of a sampled unit.
#[derive(Debug)]
pub(crate) struct RecordedSpan {
    context: SpanContext,
    pub(crate) started: SystemTime,
    /// `None` after the end.
    open: Mutex<Option<OpenSpan>>,
}

/// A span before its end.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    pub(crate) sdk: SdkSpan,
    /// Status that the user set on the span. The unit's own status takes precedence.
    pub(crate) user_status: Status,
}

impl RecordedSpan {
    pub(crate) fn new(sdk: SdkSpan, started: SystemTime) -> Self {
        let context = sdk.span_context().clone();
        let open = OpenSpan { sdk, user_status: Status::Unset };
        Self { context, started, open: Mutex::new(Some(open)) }
    }

    pub(crate) fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Returns whether the span still takes attributes and events.
    pub(crate) fn is_recording(&self) -> bool {
        self.lock().is_some()
    }

    /// Applies `change` to the span. No-op after the end.
    pub(crate) fn change(&self, change: impl FnOnce(&mut OpenSpan)) {
        if let Some(open) = &mut *self.lock() {
            change(open);
        }
    }

    /// Takes the span in order to end it. `None` if it was taken before.
    pub(crate) fn take(&self) -> Option<OpenSpan> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<OpenSpan>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes all but the last attribute of each key.
///
/// OTLP requires unique keys, but the SDK's span appends: an attribute that is set again would be
/// exported twice. Called by the first span processor.
/// <https://opentelemetry.io/docs/specs/otel/common/#attribute-collections>
#[cfg(feature = "sdk")]
pub(crate) fn dedup_attributes(data: &mut SpanData) {
    keep_last(&mut data.attributes);
}

fn keep_last(attributes: &mut Vec<KeyValue>) {
    let mut index = 0;
    while index < attributes.len() {
        let (key, later) = (&attributes[index].key, &attributes[index + 1..]);
        if later.iter().any(|attribute| attribute.key == *key) {
            attributes.remove(index);
        } else {
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::kv;

    #[test]
    fn the_last_value_of_a_key_is_kept() {
        let mut attributes = vec![kv("a", 1), kv("b", 2), kv("a", 3), kv("c", 4), kv("a", 5)];
        keep_last(&mut attributes);
        assert_eq!(attributes, [kv("b", 2), kv("c", 4), kv("a", 5)]);
    }
}
