//! Attributes that a run sets once, and that every unit below inherits: the conversation, the
//! session, the tenant.
//!
//! A unit copies a reference to the list of its parent when it starts, so that a later change
//! applies to the units that start after it. Nothing is copied, and no context is searched, until
//! the first attribute is set in the process.

use crate::semconv::{SCOPE, kv};
use crate::shared_str::share_str;
use crate::text::bounded;
use opentelemetry::{Key, KeyValue, StringValue, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

/// Capacity of one run. More are ignored, with a warning.
const MAX_ATTRIBUTES: usize = 16;
/// Longer values are cut: each is on every span of the run.
const MAX_VALUE_BYTES: usize = 256;

/// Set by the first attribute of the process.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// Attributes of one run. Also a context value: those that a remote caller handed over.
#[derive(Debug, Clone)]
pub(crate) struct RunAttributes(Arc<Vec<KeyValue>>);

impl RunAttributes {
    /// Returns whether any run of the process has attributes: without, none is searched for.
    #[inline]
    pub(crate) fn are_in_use() -> bool {
        IN_USE.load(Ordering::Relaxed)
    }

    /// Creates the list of a run. `None` without attributes.
    pub(crate) fn new(attributes: impl IntoIterator<Item = (Key, String)>) -> Option<Self> {
        let mut list = None;
        for (key, value) in attributes {
            Self::set(&mut list, key, &value);
        }
        list
    }

    /// Sets an attribute in the list of a unit. Returns the attribute; `None` if it was ignored.
    pub(crate) fn set(list: &mut Option<Self>, key: Key, value: &str) -> Option<KeyValue> {
        let value = bounded::cut(value, MAX_VALUE_BYTES);
        if value.is_empty() || key.as_str().is_empty() {
            return None;
        }
        let attributes = list.get_or_insert_with(|| Self(Arc::default()));
        let attributes = Arc::make_mut(&mut attributes.0);
        let attribute = kv(key, share_str(value));
        if let Some(known) = attributes.iter_mut().find(|known| known.key == attribute.key) {
            *known = attribute.clone();
        } else if attributes.len() < MAX_ATTRIBUTES {
            attributes.push(attribute.clone());
        } else {
            too_many(&attribute.key);
            return None;
        }
        IN_USE.store(true, Ordering::Relaxed);
        Some(attribute)
    }

    /// Adds the attributes of `other` that this list does not set.
    pub(crate) fn inherit(list: &mut Option<Self>, other: &Self) {
        if list.is_none() {
            *list = Some(other.clone());
            return;
        }
        let Some(attributes) = list else { return };
        let attributes = Arc::make_mut(&mut attributes.0);
        for attribute in other.iter() {
            let is_known = attributes.iter().any(|known| known.key == attribute.key);
            if !is_known && attributes.len() < MAX_ATTRIBUTES {
                attributes.push(attribute.clone());
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyValue> {
        self.0.iter()
    }

    /// Returns the attributes as text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&Key, &StringValue)> {
        self.iter().filter_map(|attribute| match &attribute.value {
            Value::String(value) => Some((&attribute.key, value)),
            _ => None,
        })
    }
}

#[cold]
fn too_many(key: &Key) {
    static REPORTED: Once = Once::new();
    REPORTED.call_once(|| {
        tracing::warn!(
            target: SCOPE,
            "a run has more than {MAX_ATTRIBUTES} attributes: `{key}` is not set; set attributes of one unit with \
             `current().record`"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_and_the_number_of_attributes_is_bounded() {
        let mut list = None;
        for number in 0..100 {
            RunAttributes::set(&mut list, Key::from(format!("key.{number}")), &"ä".repeat(200));
        }
        let list = list.unwrap();
        assert_eq!(list.iter().count(), MAX_ATTRIBUTES);
        assert!(list.texts().all(|(_, value)| value.as_str() == "ä".repeat(128)));
    }

    #[test]
    fn an_own_value_precedes_an_inherited_one_and_empty_values_are_ignored() {
        let parent = RunAttributes::new(
            [("a", "1"), ("b", "2")]
                .map(|(key, value)| (Key::from_static_str(key), value.to_owned())),
        );
        let mut own = None;
        RunAttributes::set(&mut own, Key::from_static_str("b"), "own");
        assert_eq!(RunAttributes::set(&mut own, Key::from_static_str("c"), ""), None);
        RunAttributes::inherit(&mut own, &parent.unwrap());
        let own = own.unwrap();
        let texts: Vec<_> =
            own.texts().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(texts, [("b", "own"), ("a", "1")]);
    }
}
