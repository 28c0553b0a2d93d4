//! Texts that repeat: names of workflows, agents and spans, types of errors.

use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Limit of the shared texts.
const MAX_TEXTS: usize = 1_024;

/// One allocation for each text of the last ones.
#[derive(Debug, Default)]
pub(super) struct Texts(FxHashSet<Arc<str>>);

impl Texts {
    /// Returns a text, shared with earlier equal ones.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        if self.0.len() >= MAX_TEXTS {
            // The texts in use remain valid; those that repeat are shared again from here on.
            self.0.clear();
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_shared_and_their_number_is_bounded() {
        let mut texts = Texts::default();
        let first = texts.share("review");
        assert!(Arc::ptr_eq(&first, &texts.share("review")));
        for number in 0..3 * MAX_TEXTS {
            texts.share(&number.to_string());
            assert!(texts.0.len() <= MAX_TEXTS);
        }
        assert_eq!(&*first, "review");
    }
}
