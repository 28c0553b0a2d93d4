//! Decides whether a webhook request was sent by someone who knows a secret.
//!
//! One valid credential of a configured kind suffices; a presented one that is invalid refuses the request whatever
//! else is valid, so that a half-rotated contact point shows at once instead of at the end of the rotation. Comparisons
//! take the same time wherever the difference is, and look at the bytes as they arrived: a body that was parsed and
//! written again has another signature. It does not remember anything: a signature that was used before is refused by
//! the store, in the transaction that keeps the runs.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::security::Secret;

/// Grafana's default header of the signature.
pub const SIGNATURE: &str = "x-grafana-alerting-signature";
/// The header of the time that the signature covers.
pub const TIMESTAMP: &str = "x-grafana-alerting-timestamp";
/// How far the sender's clock may be from ours, in seconds.
pub const TOLERANCE: i64 = 300;

/// What a sender may know. Several of a kind are accepted at once: that is a rotation.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Bearer tokens and passwords.
    pub tokens: Vec<Secret>,
    /// Keys of the HMAC.
    pub hmac_keys: Vec<Secret>,
}

/// A signature that may be used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// After this moment (Unix seconds) its timestamp refuses it anyway.
    pub expires: i64,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing that could be checked.
    #[error(
        "the webhook asks for a credential: a Bearer token, Basic, or Grafana's HMAC signature"
    )]
    Missing,
    /// A token or password that is none of ours.
    #[error("the credential in Authorization is not one of the configured tokens")]
    Token,
    /// A signature that the configured keys do not make.
    #[error("the signature does not fit the body")]
    Signature,
    /// A signature whose time is too far away.
    #[error("the signature's timestamp is more than {TOLERANCE} s away from this server's clock")]
    Stale,
}

impl Refused {
    /// The stable word of the error body.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "unauthorized",
            Self::Token => "invalid_token",
            Self::Signature => "invalid_signature",
            Self::Stale => "stale_timestamp",
        }
    }
}

impl Credentials {
    /// Whether no secret is configured: then the webhook is open (to loopback, the caller sees to it).
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.hmac_keys.is_empty()
    }

    /// Checks a request: its headers, and its body byte by byte; `now` in Unix seconds.
    ///
    /// # Errors
    /// [`Refused`], with a reason that helps the sender and tells an attacker nothing about the secrets.
    pub fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Option<Nonce>, Refused> {
        if self.is_empty() {
            return Ok(None);
        }
        let token = self.check_token(headers)?;
        let signed = self.check_signature(headers, body, now)?;
        match (token, signed) {
            (_, Some(nonce)) => Ok(nonce),
            (true, None) => Ok(None),
            (false, None) => Err(Refused::Missing),
        }
    }

    /// Whether a valid token was presented; an invalid one is an error, none or an unconfigured kind is not.
    fn check_token(&self, headers: &HeaderMap) -> Result<bool, Refused> {
        if self.tokens.is_empty() || !headers.contains_key(AUTHORIZATION) {
            return Ok(false);
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Refused::Token);
        };
        let presented = presented_token(value.as_bytes()).ok_or(Refused::Token)?;
        match Secret::any_matches(&self.tokens, &presented) {
            true => Ok(true),
            false => Err(Refused::Token),
        }
    }

    /// `Some` when a valid signature was presented, with its nonce where it covers a time.
    fn check_signature(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Option<Option<Nonce>>, Refused> {
        if self.hmac_keys.is_empty() || !headers.contains_key(SIGNATURE) {
            return Ok(None);
        }
        let presented = single(headers, SIGNATURE).ok_or(Refused::Signature)?;
        let signature = hex::decode(presented).map_err(|_| Refused::Signature)?;
        let timestamp = match headers.contains_key(TIMESTAMP) {
            true => Some(single(headers, TIMESTAMP).ok_or(Refused::Signature)?),
            false => None,
        };
        let fits = self
            .hmac_keys
            .iter()
            .fold(false, |fits, key| fits | verify(key, timestamp, body, &signature));
        if !fits {
            return Err(Refused::Signature);
        }
        let Some(timestamp) = timestamp else { return Ok(Some(None)) };
        let time: i64 = std::str::from_utf8(timestamp)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Refused::Stale)?;
        if now.saturating_sub(time).saturating_abs() > TOLERANCE {
            return Err(Refused::Stale);
        }
        Ok(Some(Some(Nonce { signature, expires: time.saturating_add(TOLERANCE) })))
    }
}

/// The signature that Grafana makes, for the command line's and the tests' own requests.
pub fn sign(key: &Secret, timestamp: Option<&[u8]>, body: &[u8]) -> String {
    mac(key, timestamp, body)
        .map(|mac| hex::encode(mac.finalize().into_bytes()))
        .unwrap_or_default()
}

fn verify(key: &Secret, timestamp: Option<&[u8]>, body: &[u8], signature: &[u8]) -> bool {
    mac(key, timestamp, body).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

fn mac(key: &Secret, timestamp: Option<&[u8]>, body: &[u8]) -> Option<Hmac<Sha256>> {
    // HMAC takes a key of any length; `None` never comes.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).ok()?;
    if let Some(timestamp) = timestamp {
        mac.update(timestamp);
        mac.update(b":");
    }
    mac.update(body);
    Some(mac)
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// The token of `Bearer`, or the password of `Basic` (any user).
fn presented_token(value: &[u8]) -> Option<Vec<u8>> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = BASE64.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}
