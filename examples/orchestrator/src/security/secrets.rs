//! Reads the secrets from environment variables or the files that they name. There are no flags for
//! them, except for the URL of the database.
//!
//! Flags are visible in the process list and in shell histories. A file that cannot be read or is
//! empty stops the start, because a server without the secret would be open.

use std::path::Path;

use super::credential::Secret;

/// Variable of the webhook tokens, accepted as Bearer or as the password of Basic.
pub const WEBHOOK_TOKEN: &str = "HUB_WEBHOOK_TOKEN";
/// Variable of the webhook's HMAC keys.
pub const WEBHOOK_HMAC_SECRET: &str = "HUB_WEBHOOK_HMAC_SECRET";
/// Variable of the API tokens.
pub const API_TOKEN: &str = "HUB_API_TOKEN";
/// Variable of the PostgreSQL database, which can contain a password. Also a flag.
pub const DATABASE_URL: &str = "HUB_DATABASE_URL";
/// Variable of the Slack webhook URL.
pub const SLACK_WEBHOOK_URL: &str = "SLACK_WEBHOOK_URL";
/// Variable of the Discord webhook URL.
pub const DISCORD_WEBHOOK_URL: &str = "DISCORD_WEBHOOK_URL";

/// The secrets of the server.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// [`API_TOKEN`], more than one during a rotation.
    pub api_tokens: Vec<Secret>,
    /// [`WEBHOOK_TOKEN`], more than one during a rotation.
    pub webhook_tokens: Vec<Secret>,
    /// [`WEBHOOK_HMAC_SECRET`], more than one during a rotation.
    pub webhook_hmac_keys: Vec<Secret>,
    /// [`DATABASE_URL`].
    pub database_url: Option<Secret>,
    /// [`SLACK_WEBHOOK_URL`].
    pub slack_webhook_url: Option<Secret>,
    /// [`DISCORD_WEBHOOK_URL`].
    pub discord_webhook_url: Option<Secret>,
}

/// A secret that could not be read. Names the variable, never the secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(String);

impl Secrets {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// [`SecretError`]: a file cannot be read or is empty, or both the variable and its file are
    /// set.
    #[expect(
        clippy::disallowed_methods,
        reason = "secrets have no flags, so clap does not read them"
    )]
    pub fn from_environment() -> Result<Self, SecretError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Returns whether the webhook requires a credential.
    pub fn protects_webhook(&self) -> bool {
        !self.webhook_tokens.is_empty() || !self.webhook_hmac_keys.is_empty()
    }

    /// Reads the secrets from a source of variables. Empty values are unset.
    ///
    /// # Errors
    /// As [`Secrets::from_environment`].
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SecretError> {
        let list = |name| read(&variable, name).and_then(|text| split(name, text.as_deref()));
        let one = |name| read(&variable, name).map(|text| text.map(Secret::from));
        Ok(Self {
            api_tokens: list(API_TOKEN)?,
            webhook_tokens: list(WEBHOOK_TOKEN)?,
            webhook_hmac_keys: list(WEBHOOK_HMAC_SECRET)?,
            database_url: one(DATABASE_URL)?,
            slack_webhook_url: one(SLACK_WEBHOOK_URL)?,
            discord_webhook_url: one(DISCORD_WEBHOOK_URL)?,
        })
    }
}

fn read(
    variable: &impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<Option<String>, SecretError> {
    let set = |name: &str| {
        variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let fail = |reason: String| Err(SecretError(reason));
    match (set(name), set(&format!("{name}_FILE"))) {
        (Some(_), Some(_)) => {
            fail(format!("{name} and {name}_FILE are both set; keep one of them"))
        }
        (value, None) => Ok(value),
        (None, Some(path)) => match std::fs::read_to_string(Path::new(&path)) {
            Err(error) => fail(format!("cannot read the file `{path}` of {name}_FILE: {error}")),
            Ok(text) if text.trim().is_empty() => fail(format!(
                "the file `{path}` of {name}_FILE is empty; write the secret to it or unset the variable"
            )),
            Ok(text) => Ok(Some(text.trim().to_owned())),
        },
    }
}

fn split(name: &'static str, text: Option<&str>) -> Result<Vec<Secret>, SecretError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let parts: Vec<Secret> =
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Secret::from).collect();
    // An empty list would leave the server open.
    if parts.is_empty() {
        return Err(SecretError(format!(
            "{name} is a list without a secret; set comma-separated secrets or unset it"
        )));
    }
    Ok(parts)
}
