//! Who may ask for what: secrets, tokens, and the addresses that the server may bind.

mod access;
mod secret;
mod secrets;

pub use access::{NotAllowed, carries_token, check_bind, is_cross_site, is_loopback};
pub use secret::Secret;
pub use secrets::{
    API_TOKEN, DISCORD_WEBHOOK_URL, SLACK_WEBHOOK_URL, SecretError, Secrets, WEBHOOK_HMAC_SECRET,
    WEBHOOK_TOKEN,
};
