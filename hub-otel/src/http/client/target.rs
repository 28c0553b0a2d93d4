//! The target of a request: the parts of its URL that telemetry needs.

use crate::http::method::strip_brackets;

/// A borrowed URL without query string and fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) scheme: &'a str,
    pub(super) has_credentials: bool,
    /// With the brackets of an IPv6 address.
    pub(super) host: &'a str,
    /// The port that the URL names.
    pub(super) port: Option<u16>,
    pub(super) path: &'a str,
}

impl<'a> Target<'a> {
    #[cfg(feature = "reqwest")]
    pub(super) fn of_url(url: &'a reqwest::Url) -> Self {
        Self {
            scheme: url.scheme(),
            has_credentials: !url.username().is_empty() || url.password().is_some(),
            host: url.host_str().unwrap_or_default(),
            port: url.port(),
            path: url.path(),
        }
    }

    /// Returns the target of a URI. One without an authority has it in the header `host`, and the
    /// scheme `http`.
    #[cfg(feature = "tower")]
    pub(super) fn of_uri(uri: &'a http_types::Uri, headers: &'a http_types::HeaderMap) -> Self {
        let scheme = uri.scheme_str().unwrap_or("http");
        let from_header = || headers.get(http_types::header::HOST)?.to_str().ok();
        let authority = uri.authority().map(|authority| authority.as_str()).or_else(from_header);
        let authority = authority.unwrap_or_default();
        let (credentials, server) = match authority.rsplit_once('@') {
            Some((credentials, server)) => (Some(credentials), server),
            None => (None, authority),
        };
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
            _ => (server, None),
        };
        let port = port.filter(|port| Some(*port) != default_port(scheme));
        let has_credentials = credentials.is_some();
        Self { scheme, has_credentials, host, port, path: uri.path() }
    }

    /// Returns the port of the connection, if the scheme has one.
    pub(super) fn port_or_default(&self) -> Option<u16> {
        self.port.or_else(|| default_port(self.scheme))
    }

    /// Returns `server.address`.
    pub(super) fn address(&self) -> &'a str {
        strip_brackets(self.host)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(all(test, feature = "tower"))]
mod tests {
    use super::*;
    use http_types::{HeaderMap, HeaderValue, Uri};

    #[test]
    fn a_target_is_in_the_uri_or_in_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("api.internal:8080"));
        for (uri, address, port, credentials) in [
            ("http://h/a", "h", Some(80), false),
            ("https://h:443/a", "h", Some(443), false),
            ("https://u:p@h:9/a", "h", Some(9), true),
            ("http://[::1]:9/a", "::1", Some(9), false),
            ("http://[::1]/a", "::1", Some(80), false),
            ("/a?b", "api.internal", Some(8080), false),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let target = Target::of_uri(&uri, &headers);
            assert_eq!(
                (target.address(), target.port_or_default(), target.has_credentials),
                (address, port, credentials),
                "{uri}"
            );
            assert_eq!(target.path, "/a");
        }
    }
}
