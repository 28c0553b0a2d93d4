//! What of a URL may be seen: scheme, host, port; the path where it was allowed; nothing else, ever.

use crate::http::client::Settings;
use reqwest::Url;

/// `url.full` without its secrets (HTTP spans, "HTTP client span": credentials are REDACTED).
pub(super) fn url(url: &Url, settings: &Settings, template: Option<&str>) -> String {
    let mut shown = String::with_capacity(64);
    shown.push_str(url.scheme());
    shown.push_str("://");
    if !url.username().is_empty() || url.password().is_some() {
        shown.push_str("REDACTED:REDACTED@");
    }
    let host = url.host_str().unwrap_or_default();
    shown.push_str(host);
    if let Some(port) = url.port() {
        shown.push(':');
        shown.push_str(&port.to_string());
    }
    match template {
        Some(template) => shown.push_str(template),
        None if url.path() == "/" => shown.push('/'),
        None if settings.shown.iter().any(|name| **name == *host) => shown.push_str(url.path()),
        None => shown.push_str("/REDACTED"),
    }
    shown
}

#[cfg(test)]
mod tests {
    use crate::http::client::redact::{Settings, url};

    fn shown(text: &str, hosts: &[&str], template: Option<&str>) -> String {
        let settings = Settings {
            shown: hosts.iter().map(|host| Box::from(*host)).collect(),
            ..Settings::default()
        };
        url(&text.parse().unwrap(), &settings, template)
    }

    #[test]
    fn a_url_shows_its_origin_and_only_the_path_that_was_allowed() {
        assert_eq!(
            shown("https://hooks.slack.com/services/T/B/x?q=1#f", &[], None),
            "https://hooks.slack.com/REDACTED"
        );
        assert_eq!(
            shown("http://u:p@10.0.0.1:8080/a", &[], None),
            "http://REDACTED:REDACTED@10.0.0.1:8080/REDACTED"
        );
        assert_eq!(
            shown("https://u@api.internal/a?b=c", &["api.internal"], None),
            "https://REDACTED:REDACTED@api.internal/a"
        );
        assert_eq!(
            shown("https://api.internal/users/7?b", &[], Some("/users/{id}")),
            "https://api.internal/users/{id}"
        );
        assert_eq!(shown("http://[::1]:9/", &[], None), "http://[::1]:9/");
    }
}
