//! The client of a request that came through proxies: `Forwarded` (RFC 7239), else the
//! `X-Forwarded-` headers.
//!
//! Each proxy appends the address of its peer to the list. With `n` trusted proxies, the n-th entry
//! from the right is the client as the outermost of them saw it. Entries further to the left come
//! from outside and may be forged.

use crate::http::method::strip_brackets;
use http_types::HeaderMap;
use std::net::IpAddr;
use std::net::SocketAddr;

/// The entry of the outermost trusted proxy.
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
        match nth_from_right(headers, "forwarded", proxies) {
            Some(element) => Self::parse_element(element),
            None => Self {
                client: nth_from_right(headers, "x-forwarded-for", proxies).and_then(address),
                https: nth_from_right(headers, "x-forwarded-proto", proxies).and_then(is_https),
                host: nth_from_right(headers, "x-forwarded-host", proxies),
            },
        }
    }

    /// Parses `for=192.0.2.1;proto=https;host=example.com`, with or without quotes.
    fn parse_element(element: &'a str) -> Self {
        let mut forwarded = Self::default();
        for pair in element.split(';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => forwarded.client = address(value),
                name if name.eq_ignore_ascii_case("proto") => forwarded.https = is_https(value),
                name if name.eq_ignore_ascii_case("host") => forwarded.host = Some(value),
                _ => {}
            }
        }
        forwarded
    }
}

/// Returns the `count`-th entry from the right of a header that is a list, over all its lines. Of a
/// shorter list it returns the first entry: all were appended by trusted proxies.
fn nth_from_right<'a>(headers: &'a HeaderMap, name: &str, count: usize) -> Option<&'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let entries: Vec<&str> = lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    entries.get(entries.len().saturating_sub(count)).copied()
}

/// Parses an address with or without a port. `unknown` and obfuscated identifiers (`_proxy`) are
/// not addresses (RFC 7239, "Node Identifiers").
fn address(value: &str) -> Option<IpAddr> {
    let with_port = || value.parse().ok().map(|address: SocketAddr| address.ip());
    strip_brackets(value).parse().ok().or_else(with_port)
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
    fn only_entries_of_trusted_proxies_are_read() {
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
    fn forwarded_takes_precedence_over_x_forwarded() {
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
    fn an_invalid_address_or_scheme_is_ignored() {
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
