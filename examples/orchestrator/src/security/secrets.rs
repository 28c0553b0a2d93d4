//! Where the secrets come from: an environment variable or the file that it names, never a flag.
//!
//! Flags are visible to every user of the machine in the list of processes, and end up in shell histories. A file that
//! is named and cannot be read, or is empty, stops the start: going on without it would open what it closes.

use std::path::Path;

use super::Secret;

/// Tokens that the webhook accepts as Bearer, or as the password of Basic.
pub const WEBHOOK_TOKEN: &str = "HUB_WEBHOOK_TOKEN";
/// Keys of the webhook's HMAC.
pub const WEBHOOK_HMAC_SECRET: &str = "HUB_WEBHOOK_HMAC_SECRET";
/// The token that the API asks for.
pub const API_TOKEN: &str = "HUB_API_TOKEN";
/// Where Slack messages go.
pub const SLACK_WEBHOOK_URL: &str = "SLACK_WEBHOOK_URL";
/// Where Discord messages go.
pub const DISCORD_WEBHOOK_URL: &str = "DISCORD_WEBHOOK_URL";

/// Every secret of the server.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// [`API_TOKEN`], several while it is rotated.
    pub api_tokens: Vec<Secret>,
    /// [`WEBHOOK_TOKEN`], several while it is rotated.
    pub webhook_tokens: Vec<Secret>,
    /// [`WEBHOOK_HMAC_SECRET`], several while it is rotated.
    pub webhook_hmac_keys: Vec<Secret>,
    /// [`SLACK_WEBHOOK_URL`].
    pub slack_webhook_url: Option<Secret>,
    /// [`DISCORD_WEBHOOK_URL`].
    pub discord_webhook_url: Option<Secret>,
}

/// Why a secret could not be read, with the variable's name. Never says the secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(String);

impl Secrets {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// [`SecretError`] for a file that cannot be read or is empty, or a secret that is given twice.
    #[expect(
        clippy::disallowed_methods,
        reason = "the home of the orchestrator's secrets, which have no flags"
    )]
    pub fn from_environment() -> Result<Self, SecretError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Whether the webhook asks its callers for a credential.
    pub fn guards_webhook(&self) -> bool {
        !self.webhook_tokens.is_empty() || !self.webhook_hmac_keys.is_empty()
    }

    /// Reads the secrets from any source of variables; empty ones count as unset.
    ///
    /// # Errors
    /// As [`Secrets::from_environment`].
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SecretError> {
        let several = |name| read(&variable, name).and_then(|text| split(name, text.as_deref()));
        let one = |name| read(&variable, name).map(|text| text.map(Secret::new));
        Ok(Self {
            api_tokens: several(API_TOKEN)?,
            webhook_tokens: several(WEBHOOK_TOKEN)?,
            webhook_hmac_keys: several(WEBHOOK_HMAC_SECRET)?,
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
    let wrong = |reason: String| Err(SecretError(reason));
    match (set(name), set(&format!("{name}_FILE"))) {
        (Some(_), Some(_)) => {
            wrong(format!("{name} and {name}_FILE are both set; keep one of them"))
        }
        (value, None) => Ok(value),
        (None, Some(path)) => match std::fs::read_to_string(Path::new(&path)) {
            Err(error) => {
                wrong(format!("{name}_FILE names `{path}`, which cannot be read: {error}"))
            }
            Ok(text) if text.trim().is_empty() => {
                let remedy = "write the secret into it, or unset the variable";
                wrong(format!("{name}_FILE names `{path}`, which is empty; {remedy}"))
            }
            Ok(text) => Ok(Some(text.trim().to_owned())),
        },
    }
}

fn split(name: &'static str, text: Option<&str>) -> Result<Vec<Secret>, SecretError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let parts: Vec<Secret> =
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Secret::new).collect();
    // A variable that was meant to close the door must not leave it open.
    if parts.is_empty() {
        let remedy = "write the secrets, comma-separated, or unset it";
        return Err(SecretError(format!("{name} is a list without a secret in it; {remedy}")));
    }
    Ok(parts)
}
