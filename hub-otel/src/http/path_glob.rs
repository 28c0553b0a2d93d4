//! Path patterns: `/health/live`, `/health/*`, `*.js`. `*` matches any characters, slashes
//! included.
//!
//! Not the crate `glob`, whose `*` stops at a slash and whose other special characters are valid in
//! paths.

/// A pattern, split at its `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathGlob(Vec<Box<str>>);

impl PathGlob {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.split('*').map(Box::from).collect())
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| &**only == path);
        };
        let Some(path) = path.strip_prefix(&**first) else { return false };
        let Some(mut remaining) = path.strip_suffix(&**last) else { return false };
        for part in middle {
            match remaining.find(&**part) {
                Some(at) => remaining = &remaining[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_characters_and_no_other_character_is_special() {
        for (pattern, path, expected) in [
            ("/health/live", "/health/live", true),
            ("/health/live", "/health/live/", false),
            ("/health/*", "/health/ready", true),
            ("/health/*", "/health", false),
            ("/health*", "/health", true),
            ("*.js", "/a/b.js", true),
            ("/a*a", "/a", false),
            ("/a/*/c/*/e", "/a/b/c/d/e", true),
            ("/a/*/c/*/e", "/a/b/d/e", false),
            ("*", "/anything", true),
            ("", "/", false),
            ("/metrics", "/metrics?x", false),
            ("/a.c", "/abc", false),
        ] {
            assert_eq!(PathGlob::new(pattern).matches(path), expected, "{pattern} {path}");
        }
    }
}
