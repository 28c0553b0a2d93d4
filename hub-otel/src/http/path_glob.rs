//! Paths by pattern: `/health/live`, `/health/*`, `*.js`. A `*` stands for any characters, slashes included.

/// A pattern, split at its stars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Box<str>>);

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.split('*').map(Box::from).collect())
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| &**only == path);
        };
        let Some(rest) = path.strip_prefix(&**first) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**last) else { return false };
        for part in middle {
            match rest.find(&**part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::http::path_glob::Pattern;

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_is_special() {
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
            assert_eq!(Pattern::new(pattern).matches(path), expected, "{pattern} {path}");
        }
    }
}
