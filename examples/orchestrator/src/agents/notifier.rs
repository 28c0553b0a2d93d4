//! Delivers a message to Slack, Discord or the console.
//!
//! A run names a channel, usually the severity of an alert, and never a URL. An unknown channel
//! uses all configured destinations, because an alert with an arbitrary severity label must not be
//! lost.

mod delivery;
pub mod destination;
pub mod message;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{Agent, AgentContext, AgentError, input};
use crate::security::{DISCORD_WEBHOOK_URL, SLACK_WEBHOOK_URL, Secrets};
use delivery::TIMEOUT;
use destination::{Allowed, BadDestination, PublicOnly};
use message::Message;

/// Maximum number of partially delivered messages to keep, so that a retry does not deliver twice.
const MAX_PARTIAL: usize = 10_000;
/// Maximum length of the message in the output of the run, in characters.
const MAX_OUTPUT: usize = 4_000;

/// Agent with the action `notify`. Input: `message`, `channel`, `title`.
#[derive(Debug)]
pub struct Notifier {
    http: hub_otel::http::Client,
    slack: Option<Url>,
    discord: Option<Url>,
    // By idempotency key: the destinations that succeeded before another one failed.
    delivered: Mutex<HashMap<String, BTreeMap<Destination, u16>>>,
}

/// Destination of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Destination {
    Slack,
    Discord,
    Console,
}

impl Destination {
    fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Console => "console",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotifyInput {
    message: String,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    title: Option<String>,
}

/// A notifier that cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    /// A destination URL is not allowed.
    #[error(transparent)]
    Destination(#[from] BadDestination),
    /// TLS cannot be set up.
    #[error("cannot create the HTTP client")]
    Client(#[from] reqwest::Error),
}

impl Notifier {
    /// Creates a notifier for the destinations in `secrets`.
    ///
    /// # Errors
    /// [`NotifierError`]: a URL is invalid, or its host is not allow-listed.
    pub fn new(secrets: &Secrets, allowed: &Allowed) -> Result<Self, NotifierError> {
        let check =
            |name, url: &Option<_>| url.as_ref().map(|url| allowed.check(name, url)).transpose();
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            // A proxy would bypass the check of the address.
            .no_proxy()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT / 2)
            .dns_resolver(PublicOnly::new(allowed))
            .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")));
        Ok(Self {
            // Records no URL paths: the path of a chat webhook is its secret. Chats are services of
            // other organizations, so the trace is not continued there.
            http: hub_otel::http::Client::from(client.build()?).without_propagation(),
            slack: check(SLACK_WEBHOOK_URL, &secrets.slack_webhook_url)?,
            discord: check(DISCORD_WEBHOOK_URL, &secrets.discord_webhook_url)?,
            delivered: Mutex::default(),
        })
    }

    /// Resolves a channel to destinations.
    fn route(&self, channel: &str) -> Result<Vec<Destination>, AgentError> {
        let unset = |variable: &str| {
            let message = format!(
                "the channel `{channel}` is not configured; set {variable} or {variable}_FILE"
            );
            AgentError::permanent("channel_not_configured", message)
        };
        match channel {
            "console" => Ok(vec![Destination::Console]),
            "slack" if self.slack.is_none() => Err(unset(SLACK_WEBHOOK_URL)),
            "slack" => Ok(vec![Destination::Slack]),
            "discord" if self.discord.is_none() => Err(unset(DISCORD_WEBHOOK_URL)),
            "discord" => Ok(vec![Destination::Discord]),
            _ => {
                let chats = [
                    self.slack.as_ref().map(|_| Destination::Slack),
                    self.discord.as_ref().map(|_| Destination::Discord),
                ];
                let chats: Vec<_> = chats.into_iter().flatten().collect();
                Ok(if chats.is_empty() { vec![Destination::Console] } else { chats })
            }
        }
    }

    /// Delivers once to one destination. Returns the status of the response, 0 for the console.
    async fn deliver(&self, to: Destination, message: &Message) -> Result<u16, AgentError> {
        let (url, body) = match to {
            Destination::Slack => (self.slack.as_ref(), message.slack()),
            Destination::Discord => (self.discord.as_ref(), message.discord()),
            Destination::Console => (None, Value::Null),
        };
        let Some(url) = url else {
            tracing::info!(channel = %message.channel, "[Notifier] {}", message.text);
            return Ok(0);
        };
        let response = self
            .http
            .post(url.clone())
            .json(&body)
            .send()
            .await
            .map_err(delivery::request_failed)?;
        delivery::classify(response).await
    }

    fn take_delivered(&self, key: &str) -> BTreeMap<Destination, u16> {
        self.delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
            .unwrap_or_default()
    }

    fn keep_delivered(&self, key: String, done: BTreeMap<Destination, u16>) {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        if !done.is_empty() && delivered.len() < MAX_PARTIAL {
            delivered.insert(key, done);
        }
    }
}

#[async_trait]
impl Agent for Notifier {
    fn actions(&self) -> &'static [&'static str] {
        &["notify"]
    }

    async fn execute(&self, context: AgentContext) -> Result<Value, AgentError> {
        let input: NotifyInput = input::parse(context.input)?;
        if input.message.trim().is_empty() {
            return Err(AgentError::permanent("invalid_input", "the message is empty"));
        }
        let message = Message {
            channel: input
                .channel
                .as_deref()
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .unwrap_or("default")
                .into(),
            title: input.title.unwrap_or_default(),
            text: input.message,
        };
        let destinations = self.route(&message.channel)?;
        let mut done = self.take_delivered(&context.idempotency_key);
        let mut failures = Vec::new();
        for to in destinations {
            if done.contains_key(&to) {
                continue;
            }
            match self.deliver(to, &message).await {
                Ok(status) => {
                    done.insert(to, status);
                }
                Err(failure) => failures.push((to, failure)),
            }
        }
        if let Some(error) = merge_failures(&failures) {
            self.keep_delivered(context.idempotency_key, done);
            return Err(error);
        }
        let deliveries: Vec<_> = done
            .iter()
            .map(|(to, status)| match to {
                Destination::Console => json!({ "destination": to.as_str() }),
                _ => json!({ "destination": to.as_str(), "status": status }),
            })
            .collect();
        let output: String = message.text.chars().take(MAX_OUTPUT).collect();
        Ok(json!({ "channel": message.channel, "message": output, "deliveries": deliveries }))
    }
}

/// Merges failures: retryable if one of them is, after the longest wait.
fn merge_failures(failures: &[(Destination, AgentError)]) -> Option<AgentError> {
    let (_, first) = failures.iter().find(|(_, error)| error.retryable).or(failures.first())?;
    let messages: Vec<_> =
        failures.iter().map(|(to, error)| format!("{} {error}", to.as_str())).collect();
    let retry_after = failures.iter().filter_map(|(_, error)| error.retry_after).max();
    Some(AgentError { message: messages.join("; "), retry_after, ..first.clone() })
}
