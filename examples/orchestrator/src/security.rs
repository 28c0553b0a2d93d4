//! Secrets, credentials of requests, and the addresses that the server may bind.

mod access;
mod credential;
mod host;
mod secrets;

pub use access::{NotAllowed, check_bind, has_valid_token, is_loopback};
pub use credential::{Secret, basic_password, bearer_token, matches_any};
pub use host::AllowedHosts;
/// The rule of the live view: the API and the webhook have the same one.
pub use hub_otel::live::is_cross_site;
pub use secrets::{
    API_TOKEN, DATABASE_URL, DISCORD_WEBHOOK_URL, SLACK_WEBHOOK_URL, SecretError, Secrets,
    WEBHOOK_HMAC_SECRET, WEBHOOK_TOKEN,
};
