//! Content of calls: messages, instructions, arguments and results of tools. Recorded by consent
//! only, also if the application or another library sets the attribute.

#[cfg(feature = "sdk")]
mod json;
#[cfg(feature = "sdk")]
mod secrets;

#[cfg(feature = "sdk")]
use crate::semconv::SCOPE;
use crate::semconv::gen_ai::{COMPLETION, CONTENT, PROMPT};
use opentelemetry::KeyValue;
#[cfg(feature = "sdk")]
use opentelemetry::Value;
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
    /// Limit of one attribute, in bytes.
    max: usize,
    is_secret: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl ContentPolicy {
    /// Creates the policy that records up to `max` bytes per attribute. The values of members with
    /// a name that `is_secret` are redacted.
    #[cfg(feature = "sdk")]
    pub(crate) fn consented(
        max: usize,
        is_secret: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(Consent { max, is_secret: Box::new(is_secret) })))
    }

    /// Returns whether content is recorded.
    #[inline]
    pub(crate) fn captures(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the attribute as it may be recorded: content cut and redacted, everything else as it
    /// is. `None` for content without consent.
    #[inline]
    pub(crate) fn admit(&self, attribute: KeyValue) -> Option<KeyValue> {
        if is_content(attribute.key.as_str()) {
            self.admit_content(attribute)
        } else {
            Some(attribute)
        }
    }

    #[cold]
    fn admit_content(&self, attribute: KeyValue) -> Option<KeyValue> {
        let consent = self.0.as_ref()?;
        consent.apply(attribute)
    }

    /// Applies the policy to the attributes of a span of another library.
    #[cfg(feature = "sdk")]
    pub(crate) fn admit_foreign(&self, span: &mut SpanData) {
        if span.instrumentation_scope.name() == SCOPE {
            // The attributes of units were admitted when they were set.
            return;
        }
        self.admit_all(&mut span.attributes);
        for event in &mut span.events.events {
            self.admit_all(&mut event.attributes);
        }
    }

    /// Applies the policy to the attributes of a span event.
    pub(crate) fn admit_all(&self, attributes: &mut Vec<KeyValue>) {
        if attributes.iter().any(|attribute| is_content(attribute.key.as_str())) {
            let all = std::mem::take(attributes);
            attributes.extend(all.into_iter().filter_map(|attribute| self.admit(attribute)));
        }
    }
}

impl Consent {
    #[cfg(feature = "sdk")]
    fn apply(&self, mut attribute: KeyValue) -> Option<KeyValue> {
        if let Value::String(text) = &attribute.value {
            let prepared = json::prepare(text.as_str(), self.max, &*self.is_secret)?;
            attribute.value = Value::from(prepared);
        }
        Some(attribute)
    }

    /// Nothing is recorded without the SDK.
    #[cfg(not(feature = "sdk"))]
    fn apply(&self, attribute: KeyValue) -> Option<KeyValue> {
        Some(attribute)
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
        let none = ContentPolicy::default();
        assert_eq!(none.admit(message()), None);
        assert_eq!(none.admit(model()), Some(model()));
        let all = ContentPolicy::consented(MAX_CONTENT_BYTES, |_| false);
        assert_eq!(all.admit(message()), Some(message()));
    }
}
