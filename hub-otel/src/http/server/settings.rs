//! The settings of a server layer.

use crate::http::path_glob::PathGlob;
use crate::http::trust::Trust;
use http_types::HeaderName;

#[derive(Debug, Clone, Default)]
pub(super) struct ServerSettings {
    pub(super) excluded: Vec<PathGlob>,
    pub(super) redacted: Vec<PathGlob>,
    pub(super) trust: Trust,
    pub(super) request_headers: Vec<HeaderName>,
    pub(super) response_headers: Vec<HeaderName>,
    pub(super) behind_tls: bool,
    pub(super) trusted_proxies: usize,
}

impl ServerSettings {
    pub(super) fn is_excluded(&self, path: &str) -> bool {
        self.excluded.iter().any(|pattern| pattern.matches(path))
    }

    pub(super) fn is_redacted(&self, path: &str) -> bool {
        self.redacted.iter().any(|pattern| pattern.matches(path))
    }
}
