//! Authentication of webhook requests.
//!
//! One valid credential of a configured kind is required. An invalid one rejects the request, even
//! beside a valid one, so that an incomplete rotation of a contact point is visible at once.
//! Comparisons take constant time. The signature covers the received bytes: a body that was parsed
//! and serialized again has another signature. This module keeps no state: the store rejects a
//! signature that was used before.

use crate::security::{self, Secret};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::Sha256;

/// Grafana's default header for the signature.
pub const SIGNATURE: &str = "x-grafana-alerting-signature";
/// Header of the time stamp that the signature covers.
pub const TIMESTAMP: &str = "x-grafana-alerting-timestamp";

/// Rules for time stamps of signatures.
#[derive(Debug, Clone, Copy)]
pub struct SignatureTime {
    /// A signature without a time stamp is rejected.
    pub required: bool,
    /// Maximum difference between the clocks of sender and receiver, in seconds.
    pub tolerance: i64,
}

impl Default for SignatureTime {
    fn default() -> Self {
        Self { required: false, tolerance: 300 }
    }
}

/// Configured credentials. More than one of a kind is accepted, for rotation.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Bearer tokens and passwords of Basic.
    pub tokens: Vec<Secret>,
    /// HMAC keys.
    pub hmac_keys: Vec<Secret>,
    /// Rules for time stamps of signatures.
    pub time: SignatureTime,
}

/// A signature that is valid once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// Unix time in seconds after which the signature is stale.
    pub expires: i64,
}

/// Reason for a rejected request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No credential of a configured kind.
    #[error(
        "the webhook requires a credential: a Bearer token, Basic, or Grafana's HMAC signature"
    )]
    Missing,
    /// A token or password that is not configured.
    #[error("the credential in Authorization is not one of the configured tokens")]
    Token,
    /// A signature that matches none of the configured keys.
    #[error("the signature does not match the body")]
    Signature,
    /// A signature with a stale time stamp.
    #[error("the signature's timestamp is too far away from this server's clock")]
    Stale,
    /// A signature without the required time stamp.
    #[error("the signature must cover a timestamp; set the contact point's timestamp header")]
    Timeless,
}

impl AuthError {
    /// Stable identifier for the error body.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "unauthorized",
            Self::Token => "invalid_token",
            Self::Signature => "invalid_signature",
            Self::Stale => "stale_timestamp",
            Self::Timeless => "timestamp_required",
        }
    }
}

impl Credentials {
    /// Returns whether no secret is configured. The webhook is then open; the caller restricts it
    /// to loopback.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.hmac_keys.is_empty()
    }

    /// Checks the headers and the body of a request. `now` is Unix time in seconds.
    ///
    /// # Errors
    /// [`AuthError`]. Its text contains nothing about the secrets.
    pub fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Option<Nonce>, AuthError> {
        if self.is_empty() {
            return Ok(None);
        }
        let token = self.check_token(headers)?;
        let signed = self.check_signature(headers, body, now)?;
        match (token, signed) {
            (_, Some(nonce)) => Ok(nonce),
            (true, None) => Ok(None),
            (false, None) => Err(AuthError::Missing),
        }
    }

    /// Returns whether the request has a valid token. An invalid token is an error; no token, or no
    /// configured token, is `false`.
    fn check_token(&self, headers: &HeaderMap) -> Result<bool, AuthError> {
        if self.tokens.is_empty() || !headers.contains_key(AUTHORIZATION) {
            return Ok(false);
        }
        let token = security::bearer_token(headers).or_else(|| security::basic_password(headers));
        let token = token.ok_or(AuthError::Token)?;
        match security::matches_any(&self.tokens, token.as_bytes()) {
            true => Ok(true),
            false => Err(AuthError::Token),
        }
    }

    /// Returns `Some` for a valid signature, with a nonce if the signature covers a time stamp.
    fn check_signature(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Option<Option<Nonce>>, AuthError> {
        if self.hmac_keys.is_empty() || !headers.contains_key(SIGNATURE) {
            return Ok(None);
        }
        let presented = single(headers, SIGNATURE).ok_or(AuthError::Signature)?;
        let signature = hex::decode(presented).map_err(|_| AuthError::Signature)?;
        let timestamp = match headers.contains_key(TIMESTAMP) {
            true => Some(single(headers, TIMESTAMP).ok_or(AuthError::Signature)?),
            false => None,
        };
        let valid = self
            .hmac_keys
            .iter()
            .fold(false, |valid, key| valid | verify(key, timestamp, body, &signature));
        if !valid {
            return Err(AuthError::Signature);
        }
        let SignatureTime { required, tolerance } = self.time;
        let Some(timestamp) = timestamp else {
            return if required { Err(AuthError::Timeless) } else { Ok(Some(None)) };
        };
        let time: i64 = std::str::from_utf8(timestamp)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(AuthError::Stale)?;
        if now.saturating_sub(time).saturating_abs() > tolerance {
            return Err(AuthError::Stale);
        }
        Ok(Some(Some(Nonce { signature, expires: time.saturating_add(tolerance) })))
    }
}

/// Signs a request as Grafana does, for tests.
pub fn sign(key: &Secret, timestamp: Option<&[u8]>, body: &[u8]) -> String {
    mac(key, timestamp, body)
        .map(|mac| hex::encode(mac.finalize().into_bytes()))
        .unwrap_or_default()
}

fn verify(key: &Secret, timestamp: Option<&[u8]>, body: &[u8], signature: &[u8]) -> bool {
    mac(key, timestamp, body).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

fn mac(key: &Secret, timestamp: Option<&[u8]>, body: &[u8]) -> Option<Hmac<Sha256>> {
    // HMAC accepts keys of any length, so this is never `None`.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
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
