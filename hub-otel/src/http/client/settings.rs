//! The settings of a client and of one call.

use crate::http::client::target::Target;
use crate::propagation::BaggageAllowList;

#[derive(Debug, Clone, Default)]
pub(super) struct ClientSettings {
    /// The maximum number of redirects to follow.
    #[cfg(feature = "reqwest")]
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

/// An extension of a request: the template of its path. The span is named after it
/// (`GET /users/{id}`) and records it instead of the path.
///
/// ```
/// use hub_otel::http::UrlTemplate;
///
/// let mut extensions = http_types::Extensions::new();
/// extensions.insert(UrlTemplate("/users/{id}"));
/// ```
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlTemplate(pub &'static str);

/// An extension of a request: the number of times that it was sent before
/// (`http.request.resend_count`).
///
/// ```
/// use hub_otel::http::ResendCount;
///
/// let mut extensions = http_types::Extensions::new();
/// extensions.insert(ResendCount(1));
/// ```
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResendCount(pub u32);

#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
impl CallOptions {
    /// Reads the extensions of a request.
    pub(super) fn of(extensions: &http_types::Extensions) -> Self {
        Self {
            template: extensions.get::<UrlTemplate>().map(|template| template.0),
            resend_count: extensions.get::<ResendCount>().map_or(0, |count| count.0),
        }
    }
}

impl ClientSettings {
    /// Returns `url.full`: scheme, host and port, and the path only if it is allowed. Credentials
    /// are replaced by `REDACTED`; query string and fragment are left out (HTTP spans, "HTTP client
    /// span", `url.full`).
    pub(super) fn redact_url(&self, target: &Target<'_>, template: Option<&str>) -> String {
        let mut redacted = String::with_capacity(64);
        redacted.push_str(target.scheme);
        redacted.push_str("://");
        if target.has_credentials {
            redacted.push_str("REDACTED:REDACTED@");
        }
        redacted.push_str(target.host);
        if let Some(port) = target.port {
            redacted.push(':');
            redacted.push_str(&port.to_string());
        }
        match template {
            Some(template) => redacted.push_str(template),
            None if target.path == "/" => redacted.push('/'),
            None if self.shown_hosts.iter().any(|shown| **shown == *target.host) => {
                redacted.push_str(target.path);
            }
            None => redacted.push_str("/REDACTED"),
        }
        redacted
    }
}

#[cfg(all(test, feature = "reqwest"))]
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
            let url = url.parse().unwrap();
            let target = Target::of_url(&url);
            assert_eq!(settings.redact_url(&target, template), expected);
        }
    }
}
