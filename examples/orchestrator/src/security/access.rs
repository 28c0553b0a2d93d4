//! Keeps strangers out: the addresses that may be bound, and the token that the API asks for.
//!
//! On loopback the server is as open as the machine. Beyond it, a trigger, an approval and a folder scan are not for
//! whoever can reach the port.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};

use super::{API_TOKEN, Secret, Secrets, WEBHOOK_HMAC_SECRET, WEBHOOK_TOKEN};

/// An address that may not be bound with the secrets that are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The whole API beyond loopback, without a token.
    #[error(
        "--bind {0} is beyond loopback, where the API asks for a token: set {API_TOKEN} or {API_TOKEN}_FILE"
    )]
    Api(SocketAddr),
    /// The webhook's own listener, without a secret.
    #[error(
        "--webhook-bind {0} needs a secret to check its callers by: set {WEBHOOK_TOKEN} or {WEBHOOK_HMAC_SECRET}, or \
         one of them with _FILE"
    )]
    Webhook(SocketAddr),
}

/// Checks the addresses before anything is bound.
///
/// # Errors
/// [`NotAllowed`], with the variable to set.
pub fn check_bind(
    bind: SocketAddr,
    webhook_bind: Option<SocketAddr>,
    secrets: &Secrets,
) -> Result<(), NotAllowed> {
    if !is_loopback(bind) && secrets.api_tokens.is_empty() {
        return Err(NotAllowed::Api(bind));
    }
    match webhook_bind {
        Some(address) if !secrets.guards_webhook() => Err(NotAllowed::Webhook(address)),
        _ => Ok(()),
    }
}

/// Whether only this machine can reach an address.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether a request carries one of the tokens as Bearer; without configured tokens every request may pass.
pub fn carries_token(headers: &HeaderMap, tokens: &[Secret]) -> bool {
    if tokens.is_empty() {
        return true;
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let value = value.as_bytes();
    match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            Secret::any_matches(tokens, token.trim_ascii())
        }
        _ => false,
    }
}

/// Whether a browser sent the request from a page of somewhere else: a page on the internet can reach loopback, and an
/// open server must not do what it says.
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site") == Some("cross-site") {
        return true;
    }
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (Some(origin), Some(host)) => origin.split_once("://").map(|(_, own)| own) != Some(host),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn beyond_loopback_the_api_needs_a_token_and_the_webhook_a_secret() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let none = Secrets::default();
        let api = Secrets { api_tokens: vec![Secret::new("a")], ..Secrets::default() };
        let hook = Secrets { webhook_hmac_keys: vec![Secret::new("h")], ..Secrets::default() };
        for loopback in ["127.0.0.1:9002", "[::1]:9002", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(check_bind(address(loopback), None, &none), Ok(()), "{loopback}");
        }
        let wide = address("0.0.0.0:9002");
        assert_eq!(check_bind(wide, None, &none), Err(NotAllowed::Api(wide)));
        assert_eq!(
            check_bind(wide, None, &hook),
            Err(NotAllowed::Api(wide)),
            "a webhook's secret is not the API's"
        );
        assert_eq!(check_bind(wide, None, &api), Ok(()));
        let own = address("127.0.0.1:9003");
        assert_eq!(check_bind(own, Some(wide), &none), Err(NotAllowed::Webhook(wide)));
        assert_eq!(check_bind(own, Some(wide), &hook), Ok(()));
    }

    #[test]
    fn the_token_is_asked_for_as_bearer() {
        let tokens = [Secret::new("new"), Secret::new("old")];
        for (value, passes) in [
            ("Bearer new", true),
            ("bearer  old", true),
            ("Bearer ne", false),
            ("Basic new", false),
            ("new", false),
        ] {
            assert_eq!(
                carries_token(&headers(&[("authorization", value)]), &tokens),
                passes,
                "{value}"
            );
        }
        assert!(!carries_token(&headers(&[]), &tokens));
        assert!(carries_token(&headers(&[]), &[]));
    }

    #[test]
    fn a_page_of_another_site_is_told_apart_from_a_tool_and_the_servers_own() {
        assert!(!is_cross_site(&headers(&[("host", "127.0.0.1:9002")])));
        assert!(!is_cross_site(&headers(&[
            ("host", "127.0.0.1:9002"),
            ("origin", "http://127.0.0.1:9002")
        ])));
        assert!(is_cross_site(&headers(&[
            ("host", "127.0.0.1:9002"),
            ("origin", "https://evil.example")
        ])));
        assert!(is_cross_site(&headers(&[("host", "127.0.0.1:9002"), ("origin", "null")])));
        assert!(is_cross_site(&headers(&[
            ("host", "localhost:9002"),
            ("sec-fetch-site", "cross-site")
        ])));
    }
}
