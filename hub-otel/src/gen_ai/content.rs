//! Content of calls: messages, instructions, arguments and results of tools. Recorded by consent
//! only, also if the application or another library sets the attribute.

mod capture;
#[cfg(feature = "sdk")]
mod json;
#[cfg(feature = "sdk")]
mod secrets;

pub use crate::gen_ai::content::capture::ContentCapture;
#[cfg(feature = "sdk")]
use crate::semconv::SCOPE;
use crate::semconv::gen_ai::{COMPLETION, CONTENT, PROMPT};
#[cfg(feature = "logs")]
use crate::semconv::kv;
use opentelemetry::KeyValue;
#[cfg(feature = "sdk")]
use opentelemetry::Value;
#[cfg(feature = "logs")]
use opentelemetry::{Key, logs::AnyValue};
#[cfg(feature = "sdk")]
use opentelemetry_sdk::trace::SpanData;
use std::fmt;
use std::sync::Arc;

/// The size limit of the content in one attribute, in bytes. Four such attributes exceed what a
/// span takes.
pub(crate) const MAX_CONTENT_BYTES: usize = 16 * 1024;

/// Consent of one instance to record content. Without consent by default.
#[derive(Clone, Default)]
pub(crate) struct ContentPolicy(Option<Arc<Consent>>);

struct Consent {
    limits: ContentLimits,
    is_secret: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

/// Limits of one attribute, in bytes. `None`: not recorded there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ContentLimits {
    pub(crate) spans: Option<usize>,
    pub(crate) events: Option<usize>,
}

/// An attribute as it may be recorded.
#[derive(Debug, PartialEq)]
pub(crate) struct Admitted {
    /// Attribute of the span.
    pub(crate) span: Option<KeyValue>,
    /// Content of the event about a call of a model, as JSON or text.
    pub(crate) event: Option<KeyValue>,
}

impl ContentPolicy {
    /// Creates the policy that records content where `limits` has a limit. The values of members
    /// with a name that `is_secret` are redacted.
    #[cfg(feature = "sdk")]
    pub(crate) fn consented(
        limits: ContentLimits,
        is_secret: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let is_secret = Box::new(is_secret);
        let has_limit = limits.spans.or(limits.events).is_some();
        Self(has_limit.then(|| Arc::new(Consent { limits, is_secret })))
    }

    /// Returns whether content is recorded.
    #[inline]
    pub(crate) fn captures(&self) -> bool {
        self.0.is_some()
    }

    /// Returns whether content is recorded in events.
    #[cfg(feature = "sdk")]
    pub(crate) fn has_events(&self) -> bool {
        self.0.as_ref().is_some_and(|consent| consent.limits.events.is_some())
    }

    /// Returns the attribute as it may be recorded: content cut and redacted, everything else as it
    /// is.
    #[inline]
    pub(crate) fn admit(&self, attribute: KeyValue) -> Admitted {
        if is_content(attribute.key.as_str()) {
            self.admit_content(attribute)
        } else {
            Admitted { span: Some(attribute), event: None }
        }
    }

    #[cold]
    fn admit_content(&self, attribute: KeyValue) -> Admitted {
        let Some(consent) = &self.0 else { return Admitted { span: None, event: None } };
        Admitted {
            event: consent.apply(&attribute, consent.limits.events),
            span: consent.apply(&attribute, consent.limits.spans),
        }
    }

    /// Applies the policy to the attributes of a span event.
    pub(crate) fn admit_all(&self, attributes: &mut Vec<KeyValue>) {
        if attributes.iter().any(|attribute| is_content(attribute.key.as_str())) {
            let all = std::mem::take(attributes);
            attributes.extend(all.into_iter().filter_map(|attribute| self.admit(attribute).span));
        }
    }

    /// Returns the attribute of a log record as it may be recorded: where events are.
    #[cfg(feature = "logs")]
    pub(crate) fn admit_log(&self, key: Key, value: AnyValue) -> Option<(Key, AnyValue)> {
        if !is_content(key.as_str()) {
            return Some((key, value));
        }
        let AnyValue::String(text) = value else { return None };
        let KeyValue { key, value, .. } = self.admit(kv(key, text)).event?;
        match value {
            Value::String(text) => Some((key, AnyValue::String(text))),
            _ => None,
        }
    }

    /// Applies the policy to the attributes of a span of another library.
    #[cfg(feature = "sdk")]
    pub(crate) fn admit_foreign(&self, span: &mut SpanData) {
        let admits = self.0.as_ref().is_some_and(|consent| consent.limits.spans.is_some());
        if admits && span.instrumentation_scope.name() == SCOPE {
            // The attributes of units were cut when they were set.
            return;
        }
        self.admit_all(&mut span.attributes);
        for event in &mut span.events.events {
            self.admit_all(&mut event.attributes);
        }
    }
}

impl Consent {
    /// Returns the attribute within a limit. `None` without a limit, or if the limit leaves no
    /// room.
    #[cfg(feature = "sdk")]
    fn apply(&self, attribute: &KeyValue, max: Option<usize>) -> Option<KeyValue> {
        let max = max?;
        let mut attribute = attribute.clone();
        if let Value::String(text) = &attribute.value {
            let prepared = json::prepare(text.as_str(), max, &*self.is_secret)?;
            attribute.value = Value::from(prepared);
        }
        Some(attribute)
    }

    /// Nothing is recorded without the SDK.
    #[cfg(not(feature = "sdk"))]
    fn apply(&self, attribute: &KeyValue, max: Option<usize>) -> Option<KeyValue> {
        max.map(|_| attribute.clone())
    }
}

impl fmt::Debug for ContentPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentPolicy").field("captures", &self.captures()).finish()
    }
}

/// Returns whether an attribute holds content. The keys of OpenLLMetry have an index:
/// `gen_ai.prompt.0.content`.
#[inline]
pub(crate) fn is_content(key: &str) -> bool {
    key.starts_with("gen_ai.") && is_content_of_gen_ai(key)
}

#[cold]
fn is_content_of_gen_ai(key: &str) -> bool {
    let is_indexed = |prefix: &str| {
        let rest = key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    CONTENT.contains(&key) || is_indexed(PROMPT) || is_indexed(COMPLETION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::gen_ai::{OUTPUT_MESSAGES, REQUEST_MODEL, USAGE_INPUT_TOKENS};
    use crate::semconv::kv;

    #[test]
    fn content_is_recognised_by_its_key() {
        let indexed = format!("{COMPLETION}.12.content");
        for key in [OUTPUT_MESSAGES, PROMPT, &indexed] {
            assert!(is_content(key), "{key}");
        }
        let named = format!("{PROMPT}.name");
        for key in [REQUEST_MODEL, USAGE_INPUT_TOKENS, &named, "messages"] {
            assert!(!is_content(key), "{key}");
        }
    }

    #[test]
    fn content_is_recorded_with_consent_and_everything_else_in_any_case() {
        let message = || kv(OUTPUT_MESSAGES, "[]");
        let model = || kv(REQUEST_MODEL, "m");
        let admitted = |span, event| Admitted { span, event };
        let none = ContentPolicy::default();
        assert_eq!(none.admit(message()), admitted(None, None));
        assert_eq!(none.admit(model()), admitted(Some(model()), None));
        for (spans, events) in [(true, false), (false, true), (true, true), (false, false)] {
            let limit = |on: bool| on.then_some(MAX_CONTENT_BYTES);
            let limits = ContentLimits { spans: limit(spans), events: limit(events) };
            let policy = ContentPolicy::consented(limits, |_| false);
            assert_eq!(policy.captures(), spans || events);
            let part = |on: bool| on.then(message);
            assert_eq!(policy.admit(message()), admitted(part(spans), part(events)));
            assert_eq!(policy.admit(model()), admitted(Some(model()), None));
        }
    }
}
