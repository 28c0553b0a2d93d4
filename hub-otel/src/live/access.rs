//! Access to the live view: host, token, origin.
//!
//! On loopback every page in the user's browser can send requests here. A token that only the
//! terminal showed, names of hosts (DNS rebinding) and origins (CSRF) keep other sites out.

use crate::export::metrics::host::MetricsHosts;
use crate::telemetry::redaction::Sensitive;
use http_types::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http_types::request::Parts;
use http_types::{HeaderMap, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::borrow::Cow;
use subtle::ConstantTimeEq as _;

/// Characters of a token that are encoded in URLs and cookies: all but the unreserved ones.
///
/// <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The rules of one server.
#[derive(Debug)]
pub(super) struct Access {
    tokens: Vec<Sensitive<String>>,
    hosts: MetricsHosts,
}

/// A rejected request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    Host,
    Token,
    Origin,
}

impl Access {
    /// Creates the rules. Without `tokens` every caller has access.
    pub(super) fn new(tokens: Vec<Sensitive<String>>, hosts: MetricsHosts) -> Self {
        Self { tokens, hosts }
    }

    /// Returns the query with the first token for the printed URL, empty without a token.
    pub(super) fn token_query(&self) -> String {
        let token = self.tokens.first();
        token.map(|token| format!("?token={}", encoded(token.expose()))).unwrap_or_default()
    }

    pub(super) fn check_host(&self, parts: &Parts) -> Result<(), Denied> {
        let mut request = Request::new(());
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        if self.hosts.permits(&request) { Ok(()) } else { Err(Denied::Host) }
    }

    /// Checks the token: in the cookie, as Bearer, or in the query.
    pub(super) fn check_token(&self, parts: &Parts) -> Result<(), Denied> {
        let is_valid = self.tokens.is_empty()
            || self.cookie_value(parts).is_some_and(|token| self.accepts(&token))
            || bearer(&parts.headers).is_some_and(|token| self.accepts(token))
            || query(parts, "token").is_some_and(|token| self.accepts(&token));
        if is_valid { Ok(()) } else { Err(Denied::Token) }
    }

    /// Checks the token of a program: as Bearer only.
    pub(super) fn check_bearer(&self, parts: &Parts) -> Result<(), Denied> {
        let is_valid = self.tokens.is_empty()
            || bearer(&parts.headers).is_some_and(|token| self.accepts(token));
        if is_valid { Ok(()) } else { Err(Denied::Token) }
    }

    /// Rejects a request that a page of another site sent.
    pub(super) fn check_origin(&self, parts: &Parts) -> Result<(), Denied> {
        if is_cross_site(&parts.headers) { Err(Denied::Origin) } else { Ok(()) }
    }

    /// Returns the cookie to set if the query has a valid token.
    pub(super) fn cookie(&self, parts: &Parts) -> Option<String> {
        let token = query(parts, "token").filter(|token| self.accepts(token))?;
        let (name, token) = (cookie_name(&parts.headers), encoded(&token));
        Some(format!("{name}={token}; HttpOnly; SameSite=Strict; Path=/"))
    }

    fn cookie_value<'a>(&self, parts: &'a Parts) -> Option<Cow<'a, str>> {
        let name = cookie_name(&parts.headers);
        let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let value = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))?;
        percent_decode_str(value).decode_utf8().ok()
    }

    /// Compares with every token, in a time that depends on their lengths only.
    fn accepts(&self, presented: &str) -> bool {
        let matches = self.tokens.iter().fold(subtle::Choice::from(0), |found, token| {
            found | token.expose().as_bytes().ct_eq(presented.as_bytes())
        });
        bool::from(matches)
    }
}

/// Returns the name of the cookie. Cookies ignore ports: two processes on one host need two names.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("", |(_, port)| port.trim_matches(']'));
    format!("hub_otel_live_{}", if port.is_empty() { "0" } else { port })
}

fn encoded(token: &str) -> Cow<'_, str> {
    utf8_percent_encode(token, RESERVED).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Returns a parameter of the query, decoded.
pub(super) fn query(parts: &Parts, name: &str) -> Option<String> {
    let pairs = parts.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()?;
    let value = value.replace('+', " ");
    percent_decode_str(&value).decode_utf8().ok().map(Cow::into_owned)
}

/// Returns whether a browser sent the request from a page of another site.
///
/// Such a page can reach a server on loopback. A server without a token rejects its requests. The
/// live view applies this rule to every request, by `Sec-Fetch-Site` and by `Origin`; clients that
/// are no browsers send neither.
///
/// ```
/// # use http_types as http;
/// use hub_otel::live::is_cross_site;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut headers = http::HeaderMap::new();
/// headers.insert("host", "127.0.0.1:9002".parse()?);
/// assert!(!is_cross_site(&headers));
/// headers.insert("origin", "https://other.example".parse()?);
/// assert!(is_cross_site(&headers));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return true;
    }
    match (header(ORIGIN.as_str()), header(HOST.as_str())) {
        (Some(origin), Some(host)) => {
            let origin = origin.split_once("://").map(|(_, origin)| origin);
            !origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => true,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn access(tokens: &[&str]) -> Access {
        let tokens = tokens.iter().map(|token| Sensitive::new((*token).to_owned())).collect();
        Access::new(tokens, MetricsHosts::new(None, "127.0.0.1:9465".parse().ok()))
    }

    #[test]
    fn a_token_is_accepted_from_the_query_the_cookie_and_as_bearer() {
        let access = access(&["new-token", "old-token"]);
        let host = ("host", "127.0.0.1:9465");
        for (uri, headers) in [
            ("/?token=new-token", vec![host]),
            ("/?a=b&token=old-token", vec![host]),
            ("/", vec![host, ("cookie", "a=b; hub_otel_live_9465=new-token")]),
            ("/", vec![host, ("authorization", "Bearer new-token")]),
        ] {
            assert_eq!(access.check_token(&parts(uri, &headers)), Ok(()), "{uri} {headers:?}");
        }
        for (uri, headers) in [
            ("/", vec![host]),
            ("/?token=", vec![host]),
            ("/?token=new-toke", vec![host]),
            ("/", vec![host, ("cookie", "hub_otel_live_9466=new-token")]),
            ("/", vec![host, ("authorization", "Basic new-token")]),
        ] {
            let checked = access.check_token(&parts(uri, &headers));
            assert_eq!(checked, Err(Denied::Token), "{uri} {headers:?}");
        }
    }

    #[test]
    fn the_cookie_is_set_for_a_valid_token_only_and_named_after_the_port() {
        let access = access(&["new-token"]);
        let host = [("host", "127.0.0.1:9465")];
        let cookie = access.cookie(&parts("/?token=new-token", &host)).unwrap();
        assert_eq!(cookie, "hub_otel_live_9465=new-token; HttpOnly; SameSite=Strict; Path=/");
        assert_eq!(access.cookie(&parts("/?token=other", &host)), None);
    }

    #[test]
    fn a_token_of_any_characters_is_accepted_from_the_printed_url_and_from_its_cookie() {
        for token in ["a+b/c=&(d", "100% sure; ok", "clé-très-sûre"] {
            let access = access(&[token]);
            let host = ("host", "127.0.0.1:9465");
            let opened = parts(&format!("/{}", access.token_query()), &[host]);
            assert_eq!(access.check_token(&opened), Ok(()), "{token}");
            let cookie = access.cookie(&opened).unwrap();
            let cookie = cookie.split_once(';').unwrap().0;
            assert!(cookie.is_ascii() && !cookie.contains([' ', ',']), "{cookie}");
            assert_eq!(access.check_token(&parts("/", &[host, ("cookie", cookie)])), Ok(()));
        }
    }

    #[test]
    fn requests_of_other_sites_and_for_other_hosts_are_rejected() {
        let access = access(&[]);
        let host = ("host", "127.0.0.1:9465");
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:9466"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let denied = access.check_origin(&parts("/", &[host, header]));
            assert_eq!(denied, Err(Denied::Origin), "{header:?}");
        }
        for headers in [vec![host], vec![host, ("origin", "http://127.0.0.1:9465")]] {
            assert_eq!(access.check_origin(&parts("/", &headers)), Ok(()));
        }
        let rebound = access.check_host(&parts("/", &[("host", "evil.example:9465")]));
        assert_eq!(rebound, Err(Denied::Host));
    }
}
