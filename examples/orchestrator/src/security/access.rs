//! Access rules: the addresses that may be bound, and the token of the API.
//!
//! On loopback, access to the machine is access to the server. Beyond loopback, a credential is
//! required.

use std::net::SocketAddr;

use axum::http::HeaderMap;

use super::credential::{Secret, bearer_token, matches_any};
use super::secrets::{API_TOKEN, Secrets, WEBHOOK_HMAC_SECRET, WEBHOOK_TOKEN};

/// An address that requires a secret that is not configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The whole API beyond loopback, without a token.
    #[error(
        "--bind {0} is beyond loopback and requires an API token: set {API_TOKEN} or {API_TOKEN}_FILE"
    )]
    Api(SocketAddr),
    /// The separate webhook listener, without a secret.
    #[error(
        "--webhook-bind {0} requires a secret: set {WEBHOOK_TOKEN} or {WEBHOOK_HMAC_SECRET}, or one of them with _FILE"
    )]
    Webhook(SocketAddr),
}

/// Checks that the secrets permit the addresses.
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
        Some(address) if !secrets.protects_webhook() => Err(NotAllowed::Webhook(address)),
        _ => Ok(()),
    }
}

/// Returns whether an address is a loopback one.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Returns whether a request has one of the tokens as Bearer, or no tokens are configured.
pub fn has_valid_token(headers: &HeaderMap, tokens: &[Secret]) -> bool {
    tokens.is_empty()
        || bearer_token(headers).is_some_and(|token| matches_any(tokens, token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn beyond_loopback_the_api_requires_a_token_and_the_webhook_a_secret() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let none = Secrets::default();
        let api = Secrets { api_tokens: vec![Secret::from("a")], ..Secrets::default() };
        let hook = Secrets { webhook_hmac_keys: vec![Secret::from("h")], ..Secrets::default() };
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
        let loopback = address("127.0.0.1:9003");
        assert_eq!(check_bind(loopback, Some(wide), &none), Err(NotAllowed::Webhook(wide)));
        assert_eq!(check_bind(loopback, Some(wide), &hook), Ok(()));
    }

    #[test]
    fn a_token_is_accepted_as_bearer_only() {
        let tokens = [Secret::from("new"), Secret::from("old")];
        for (value, passes) in [
            ("Bearer new", true),
            ("bearer  old", true),
            ("Bearer ne", false),
            ("Basic new", false),
            ("new", false),
        ] {
            assert_eq!(
                has_valid_token(&headers(&[("authorization", value)]), &tokens),
                passes,
                "{value}"
            );
        }
        assert!(!has_valid_token(&headers(&[]), &tokens));
        assert!(has_valid_token(&headers(&[]), &[]));
    }
}
