//! Secrets and the credentials that a request presents.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use headers::authorization::{Basic, Bearer};
use headers::{Authorization, Header as _};
use secrecy::ExposeSecret as _;
use subtle::{Choice, ConstantTimeEq as _};

/// A secret: not printed by `Debug`, zeroed on drop.
pub type Secret = secrecy::SecretString;

/// Returns whether `presented` is one of `secrets`. The duration depends on the number and length
/// of the secrets only.
pub fn matches_any(secrets: &[Secret], presented: &[u8]) -> bool {
    let found = secrets.iter().fold(Choice::from(0), |found, secret| {
        found | secret.expose_secret().as_bytes().ct_eq(presented)
    });
    bool::from(found)
}

/// Returns the token of `Authorization: Bearer`. `None` without exactly one such header.
pub fn bearer_token(headers: &HeaderMap) -> Option<String> {
    let bearer = authorization::<Bearer>(headers)?;
    Some(bearer.token().trim_ascii().to_owned())
}

/// Returns the password of `Authorization: Basic`. `None` without exactly one such header.
pub fn basic_password(headers: &HeaderMap) -> Option<String> {
    let basic = authorization::<Basic>(headers)?;
    Some(basic.password().to_owned())
}

fn authorization<C: headers::authorization::Credentials>(headers: &HeaderMap) -> Option<C> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Authorization(credentials) = Authorization::<C>::decode(&mut values).ok()?;
    // `decode` reads the first header. Repeated ones are ambiguous and rejected.
    values.next().is_none().then_some(credentials)
}
