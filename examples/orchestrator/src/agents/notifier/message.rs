//! Bodies of chat messages: Slack attachments and Discord embeds.
//!
//! The text of an alert contains labels and annotations of unknown origin. It must not mention a
//! whole channel, hide the target of a link behind another text, or imitate other messages: Slack
//! gets plain text with its control characters escaped, Discord gets escaped markdown and no
//! mentions. URLs stay as they are, so that both link them.

use serde_json::{Value, json};

/// Discord's limit of a description.
const MAX_DISCORD_DESCRIPTION: usize = 4_096;
/// Discord's limit of a title.
const MAX_TITLE: usize = 256;
/// Characters with a meaning in Discord's markdown.
const MARKDOWN: &str = "\\*_~`|<>()[]#@";
/// Slack truncates longer attachments.
const MAX_SLACK_TEXT: usize = 7_000;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Channel, usually a severity. Determines the colour.
    pub channel: String,
    /// Title. Can be empty.
    pub title: String,
    /// Text.
    pub text: String,
}

impl Message {
    /// Body for Slack's incoming webhook.
    pub fn slack(&self) -> Value {
        let text = escape_slack(&shorten(&self.text, MAX_SLACK_TEXT));
        let title = escape_slack(&shorten(&self.title, MAX_TITLE));
        let mut attachment = json!({
            "color": format!("#{:06x}", self.colour()),
            "fallback": shorten(&text, 300),
            "text": text,
            "mrkdwn_in": [],
        });
        if !title.is_empty() {
            attachment["title"] = title.into();
        }
        json!({ "attachments": [attachment] })
    }

    /// Body for Discord's execute-webhook.
    pub fn discord(&self) -> Value {
        let mut embed = json!({
            "description": shorten(&escape_discord(&self.text), MAX_DISCORD_DESCRIPTION),
            "color": self.colour(),
        });
        if !self.title.is_empty() {
            embed["title"] = shorten(&escape_discord(&self.title), MAX_TITLE).into();
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

/// Escapes the three control characters of Slack.
fn escape_slack(text: &str) -> String {
    let text: String = text.chars().filter(|&character| !is_invisible(character)).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes Discord's markdown, except in URLs.
fn escape_discord(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let is_url = ["http://", "https://"].iter().any(|scheme| word.starts_with(scheme));
        for character in word.chars().filter(|&character| !is_invisible(character)) {
            // A URL ends at a bracket, where markdown could begin.
            let special = if is_url { "<>()[]`|" } else { MARKDOWN };
            if special.contains(character) {
                escaped.push('\\');
            }
            escaped.push(character);
        }
    }
    escaped
}

/// Returns whether a character controls a terminal or changes the direction of text.
fn is_invisible(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        )
}

/// Truncates a text to `max` UTF-16 code units, the unit of both services' limits.
fn shorten(text: &str, max: usize) -> String {
    if text.encode_utf16().count() <= max {
        return text.to_owned();
    }
    let mut units = 1;
    let kept = text.chars().take_while(|character| {
        units += character.len_utf16();
        units <= max
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
    fn a_label_cannot_mention_a_whole_channel() {
        let hostile = message("<!channel> @everyone <@U123> & co");
        let slack = hostile.slack();
        assert_eq!(
            slack["attachments"][0]["text"],
            "&lt;!channel&gt; @everyone &lt;@U123&gt; &amp; co"
        );
        assert_eq!(slack["attachments"][0]["mrkdwn_in"], json!([]));
        assert_eq!(hostile.discord()["allowed_mentions"], json!({ "parse": [] }));
    }

    #[test]
    fn markdown_is_shown_and_urls_are_kept() {
        let shown = |text: &str| message(text).discord()["embeds"][0]["description"].clone();
        assert_eq!(
            shown("[https://bank.example](https://evil.example)"),
            "\\[https://bank.example\\]\\(https://evil.example\\)"
        );
        assert_eq!(shown("# **big** `x`\n> q"), "\\# \\*\\*big\\*\\* \\`x\\`\n\\> q");
        assert_eq!(
            shown("Dashboard: https://grafana.example/d/a_b_c?x=1&y=*2*"),
            "Dashboard: https://grafana.example/d/a_b_c?x=1&y=*2*"
        );
        // A URL does not continue as markdown.
        assert_eq!(
            shown("https://a.example/](https://b.example)"),
            "https://a.example/\\]\\(https://b.example\\)"
        );
        assert_eq!(shown("a\u{202e}b\u{1b}[31m\u{200b}c"), "ab\\[31mc");
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
