//! Secrets, credentials of requests, and the addresses that the server may bind.

mod access;
mod credential;
mod host;
mod secrets;

pub use access::{NotAllowed, check_bind, has_valid_token, is_cross_site, is_loopback};
pub use credential::{Secret, basic_password, bearer_token, matches_any};
pub use host::AllowedHosts;
pub use secrets::{
    API_TOKEN, DISCORD_WEBHOOK_URL, SLACK_WEBHOOK_URL, SecretError, Secrets, WEBHOOK_HMAC_SECRET,
    WEBHOOK_TOKEN,
};
