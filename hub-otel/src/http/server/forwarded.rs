//! What proxies say about the client: `Forwarded` (RFC 7239), else the `X-Forwarded-` headers.
//!
//! Every proxy adds to the right whom it was asked by. With `n` proxies that are trusted, the n-th entry from the right is
//! the client as the outermost of them saw it; whatever stands further left came from outside, and may be a lie.

use crate::http::method::bare;
use http_types::HeaderMap;
use std::net::IpAddr;
use std::net::SocketAddr;

/// What was said, as far as it is trusted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded<'a> {
    pub(super) client: Option<IpAddr>,
    pub(super) https: Option<bool>,
    pub(super) host: Option<&'a str>,
}

impl<'a> Forwarded<'a> {
    pub(super) fn read(headers: &'a HeaderMap, proxies: usize) -> Self {
        if proxies == 0 {
            return Self::default();
        }
        match nth(headers, "forwarded", proxies) {
            Some(element) => Self::by_rfc_7239(element),
            None => Self {
                client: nth(headers, "x-forwarded-for", proxies).and_then(address),
                https: nth(headers, "x-forwarded-proto", proxies).and_then(is_https),
                host: nth(headers, "x-forwarded-host", proxies),
            },
        }
    }

    /// `for=192.0.2.1;proto=https;host=example.com`, values in quotes or not.
    fn by_rfc_7239(element: &'a str) -> Self {
        let mut said = Self::default();
        for pair in element.split(';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => said.client = address(value),
                name if name.eq_ignore_ascii_case("proto") => said.https = is_https(value),
                name if name.eq_ignore_ascii_case("host") => said.host = Some(value),
                _ => {}
            }
        }
        said
    }
}

/// The `count`-th entry from the right of a header that is a list, over all its lines; the first one of a shorter list,
/// whose entries were all added by proxies that are trusted.
fn nth<'a>(headers: &'a HeaderMap, name: &str, count: usize) -> Option<&'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let entries: Vec<&str> = lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    entries.get(entries.len().saturating_sub(count)).copied()
}

/// An address with or without a port; `unknown` and hidden names (`_proxy`) are none.
fn address(text: &str) -> Option<IpAddr> {
    bare(text)
        .parse()
        .ok()
        .or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()))
}

fn is_https(scheme: &str) -> Option<bool> {
    match scheme {
        scheme if scheme.eq_ignore_ascii_case("https") => Some(true),
        scheme if scheme.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(
        headers: &'a mut HeaderMap,
        lines: &[(&'static str, &str)],
        proxies: usize,
    ) -> Forwarded<'a> {
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        Forwarded::read(headers, proxies)
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_read() {
        let lines = [("x-forwarded-for", "6.6.6.6, 192.0.2.1"), ("x-forwarded-for", "10.0.0.1")];
        for (proxies, expected) in [
            (0, None),
            (1, Some("10.0.0.1")),
            (2, Some("192.0.2.1")),
            (3, Some("6.6.6.6")),
            (9, Some("6.6.6.6")),
        ] {
            let client = read(&mut HeaderMap::new(), &lines, proxies).client;
            assert_eq!(client, expected.map(|text| text.parse().unwrap()), "{proxies}");
        }
    }

    #[test]
    fn rfc_7239_wins_over_what_came_before_it() {
        let lines = [
            (
                "forwarded",
                "for=6.6.6.6, For=\"[2001:db8::1]:4711\";Proto=HTTPS;host=\"shop.test:8443\";by=_x",
            ),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        let mut headers = HeaderMap::new();
        assert_eq!(
            read(&mut headers, &lines, 1),
            Forwarded {
                client: Some("2001:db8::1".parse().unwrap()),
                https: Some(true),
                host: Some("shop.test:8443")
            }
        );
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["unknown", "_hidden", "", "1.2.3", "[::1", "example.com"] {
            assert_eq!(address(text), None, "{text}");
        }
        for text in ["::1", "[::1]", "[::1]:80"] {
            assert_eq!(address(text), Some("::1".parse().unwrap()), "{text}");
        }
        assert_eq!(address("192.0.2.1:80"), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(is_https("gopher"), None);
    }
}
