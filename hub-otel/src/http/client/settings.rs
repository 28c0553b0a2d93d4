//! The settings of a client and of one call.

use crate::propagation::BaggageAllowList;
use reqwest::Url;

#[derive(Debug, Clone, Default)]
pub(super) struct ClientSettings {
    /// The maximum number of redirects to follow.
    pub(super) max_redirects: u32,
    /// The hosts whose paths are not secret.
    pub(super) shown_hosts: Vec<Box<str>>,
    pub(super) baggage: BaggageAllowList,
    /// No propagation header is sent.
    pub(super) no_propagation: bool,
}

/// The options of one call that are not part of the request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CallOptions {
    pub(super) template: Option<&'static str>,
    pub(super) resend_count: u32,
}

impl ClientSettings {
    /// Returns `url.full`: scheme, host and port, and the path only if it is allowed. Credentials
    /// are replaced by `REDACTED`; query string and fragment are left out (HTTP spans, "HTTP client
    /// span", `url.full`).
    pub(super) fn redact_url(&self, url: &Url, template: Option<&str>) -> String {
        let mut redacted = String::with_capacity(64);
        redacted.push_str(url.scheme());
        redacted.push_str("://");
        if !url.username().is_empty() || url.password().is_some() {
            redacted.push_str("REDACTED:REDACTED@");
        }
        let host = url.host_str().unwrap_or_default();
        redacted.push_str(host);
        if let Some(port) = url.port() {
            redacted.push(':');
            redacted.push_str(&port.to_string());
        }
        match template {
            Some(template) => redacted.push_str(template),
            None if url.path() == "/" => redacted.push('/'),
            None if self.shown_hosts.iter().any(|shown| **shown == *host) => {
                redacted.push_str(url.path());
            }
            None => redacted.push_str("/REDACTED"),
        }
        redacted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_its_origin_and_only_a_path_that_is_allowed() {
        for (url, shown_host, template, expected) in [
            (
                "https://hooks.slack.com/services/T/B/x?q=1#f",
                None,
                None,
                "https://hooks.slack.com/REDACTED",
            ),
            (
                "http://u:p@10.0.0.1:8080/a",
                None,
                None,
                "http://REDACTED:REDACTED@10.0.0.1:8080/REDACTED",
            ),
            (
                "https://u@api.internal/a?b=c",
                Some("api.internal"),
                None,
                "https://REDACTED:REDACTED@api.internal/a",
            ),
            (
                "https://api.internal/users/7?b",
                None,
                Some("/users/{id}"),
                "https://api.internal/users/{id}",
            ),
            ("http://[::1]:9/", None, None, "http://[::1]:9/"),
        ] {
            let shown_hosts = shown_host.into_iter().map(Box::from).collect();
            let settings = ClientSettings { shown_hosts, ..ClientSettings::default() };
            assert_eq!(settings.redact_url(&url.parse().unwrap(), template), expected);
        }
    }
}
