//! The text of an error that comes again: errors come in rows, and often with the same words.
//!
//! OpenTelemetry wants the text twice, in two types: as the status' description and as an attribute. The attribute's can be
//! shared, and so is kept until the next error of this thread says something else.

use crate::shared_str::share_str;
use opentelemetry::StringValue;
use std::cell::RefCell;

/// A longer text is not kept: a thread holds on to a few words, not to a page.
const LONGEST: usize = 256;

/// `text` as an attribute's value; the one of last time, where that says the same.
pub(super) fn value(text: &str) -> StringValue {
    thread_local! {
        static LAST: RefCell<Option<StringValue>> = const { RefCell::new(None) };
    }
    if text.len() > LONGEST {
        return share_str(text);
    }
    let again = |last: &RefCell<Option<StringValue>>| {
        let mut last = last.borrow_mut();
        match &*last {
            Some(last) if last.as_str() == text => last.clone(),
            _ => last.insert(share_str(text)).clone(),
        }
    };
    // A thread that is ending keeps nothing any more.
    LAST.try_with(again).unwrap_or_else(|_| share_str(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_comes_again_is_shared() {
        let (first, again) = (value("no such host"), value("no such host"));
        assert!(std::ptr::eq(first.as_str(), again.as_str()));
        let other = value("timed out");
        assert_eq!((first.as_str(), other.as_str()), ("no such host", "timed out"));
    }

    #[test]
    fn a_long_text_is_not_kept() {
        let page = "x".repeat(LONGEST + 1);
        let (first, again) = (value(&page), value(&page));
        assert_eq!(first.as_str(), page);
        assert!(!std::ptr::eq(first.as_str(), again.as_str()));
    }
}
