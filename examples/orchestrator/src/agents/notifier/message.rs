//! What a chat shows: Slack's attachments, Discord's embeds.
//!
//! The text of an alert comes from whoever writes labels and annotations: it must not be able to call a whole channel
//! together, so Slack's control characters are escaped and Discord is told to parse no mention at all.

use serde_json::{Value, json};

/// Discord refuses longer descriptions.
const DISCORD_DESCRIPTION: usize = 4_096;
/// Discord refuses longer titles.
const DISCORD_TITLE: usize = 256;
/// Slack cuts longer attachments off.
const SLACK_TEXT: usize = 7_000;

/// A message to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The channel that was asked for, usually a severity; chooses the colour.
    pub channel: String,
    /// A heading; may be empty.
    pub title: String,
    /// The text.
    pub text: String,
}

impl Message {
    /// The body of Slack's incoming webhook.
    pub fn slack(&self) -> Value {
        let text = escape(&shorten(&self.text, SLACK_TEXT));
        let title = escape(&shorten(&self.title, DISCORD_TITLE));
        let mut attachment = json!({
            "color": format!("#{:06x}", self.colour()),
            "fallback": shorten(&text, 300),
            "text": text,
            "mrkdwn_in": ["text"],
        });
        if !title.is_empty() {
            attachment["title"] = title.into();
        }
        json!({ "attachments": [attachment] })
    }

    /// The body of Discord's execute-webhook.
    pub fn discord(&self) -> Value {
        let mut embed = json!({
            "description": shorten(&self.text, DISCORD_DESCRIPTION),
            "color": self.colour(),
        });
        if !self.title.is_empty() {
            embed["title"] = shorten(&self.title, DISCORD_TITLE).into();
        }
        json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
    }

    fn colour(&self) -> u32 {
        match self.channel.to_ascii_lowercase().as_str() {
            "critical" | "error" | "page" => 0x00d6_2728,
            "warning" => 0x00ff_bf00,
            "info" | "resolved" | "success" => 0x002c_a02c,
            _ => 0x0070_7f8f,
        }
    }
}

/// Slack's own three characters, by its own rules.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Cuts a text to at most `most` UTF-16 units, the unit that both services count in.
fn shorten(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut units = 1;
    let kept = text.chars().take_while(|character| {
        units += character.len_utf16();
        units <= most
    });
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message { channel: "critical".into(), title: "Scan".into(), text: text.into() }
    }

    #[test]
    fn a_label_cannot_call_a_channel_together() {
        let hostile = message("<!channel> @everyone <@U123> & co");
        let slack = hostile.slack();
        assert_eq!(
            slack["attachments"][0]["text"],
            "&lt;!channel&gt; @everyone &lt;@U123&gt; &amp; co"
        );
        assert_eq!(hostile.discord()["allowed_mentions"], json!({ "parse": [] }));
    }

    #[test]
    fn a_text_of_any_length_fits_discord() {
        let embed = message(&"🚨".repeat(10_000)).discord();
        let description = embed["embeds"][0]["description"].as_str().unwrap().to_owned();
        assert_eq!(description.encode_utf16().count(), 4_095);
        assert!(description.ends_with('…'));
        assert_eq!(embed["embeds"][0]["color"], 0x00d6_2728);
    }
}
