//! Redaction of secrets in content: members with the name of a secret, keys of well-known
//! providers, credentials in URLs.

use serde_json::Value;

const REDACTED: &str = "[REDACTED]";

/// First characters of keys and tokens of well-known providers.
const PREFIXES: [&str; 17] = [
    "sk-",
    "sk_live_",
    "rk_live_",
    "pk-lf-",
    "gsk_",
    "hf_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "AIza",
    "eyJ",
];
/// The least length of a key.
const MIN_KEY: usize = 20;
/// The limit of JSON in strings of JSON.
const MAX_NESTED: usize = 4;

/// Redacts the secrets in `value`. Returns whether there are any.
pub(super) fn redact(value: &mut Value, is_secret: &dyn Fn(&str) -> bool) -> bool {
    redact_nested(value, is_secret, MAX_NESTED)
}

fn redact_nested(value: &mut Value, is_secret: &dyn Fn(&str) -> bool, nested: usize) -> bool {
    match value {
        Value::String(text) => {
            let redacted = redact_json_in_text(text, is_secret, nested);
            let redacted = redacted.or_else(|| redact_text(text));
            redacted.map(|redacted| *text = redacted).is_some()
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |found, item| redact_nested(item, is_secret, nested) | found),
        Value::Object(members) => members.iter_mut().fold(false, |found, (name, member)| {
            if has_text(member) && is_secret(name) {
                *member = Value::from(REDACTED);
                return true;
            }
            redact_nested(member, is_secret, nested) | found
        }),
        _ => false,
    }
}

/// Redacts the arguments of a tool, which some providers send as JSON in a string. `None` without
/// secrets.
fn redact_json_in_text(
    text: &str,
    is_secret: &dyn Fn(&str) -> bool,
    nested: usize,
) -> Option<String> {
    let may_be_json = nested > 0 && text.trim_start().starts_with(['{', '[']);
    let mut value = serde_json::from_str::<Value>(text).ok().filter(|_| may_be_json)?;
    redact_nested(&mut value, is_secret, nested - 1).then(|| value.to_string())
}

/// Numbers and Booleans are no secrets: `max_tokens`.
fn has_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(has_text),
        Value::Object(members) => members.values().any(has_text),
        _ => false,
    }
}

/// Returns `text` without keys and credentials. `None` if it has none.
pub(super) fn redact_text(text: &str) -> Option<String> {
    let mut redacted = String::new();
    let mut copied = 0;
    let is_key_character = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut position = 0;
    while let Some(start) = text[position..].find(is_key_character) {
        let start = position + start;
        let rest = &text[start..];
        let end = start + rest.find(|c| !is_key_character(c)).unwrap_or(rest.len());
        let word = &text[start..end];
        let is_after = |before: &str| text[..start].ends_with(before);
        let secret_end = if is_key(word) || (is_after("Bearer ") && word.len() >= MIN_KEY) {
            Some(end)
        } else if is_after("://") {
            userinfo(rest).map(|length| start + length)
        } else {
            None
        };
        position = secret_end.unwrap_or(end);
        if secret_end.is_some() {
            redacted.push_str(&text[copied..start]);
            redacted.push_str(REDACTED);
            copied = position;
        }
    }
    (copied > 0).then(|| {
        redacted.push_str(&text[copied..]);
        redacted
    })
}

fn is_key(word: &str) -> bool {
    word.len() >= MIN_KEY
        && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Returns the length of the credentials at the start of a URL's authority.
fn userinfo(authority: &str) -> Option<usize> {
    let end = authority.find(|c: char| c.is_whitespace() || "/?#\"<>".contains(c));
    authority[..end.unwrap_or(authority.len())].rfind('@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_with_the_name_of_a_secret_are_redacted_wherever_they_are() {
        let mut value = json!([
            { "api_key": "abc", "max_tokens": 5, "api_keys": 7 },
            { "arguments": "{\"api_key\":\"abc\",\"city\":\"Bonn\"}" },
        ]);
        assert!(redact(&mut value, &|name| name.starts_with("api_key")));
        let expected = json!([
            { "api_key": "[REDACTED]", "max_tokens": 5, "api_keys": 7 },
            { "arguments": "{\"api_key\":\"[REDACTED]\",\"city\":\"Bonn\"}" },
        ]);
        assert_eq!(value, expected);
        assert!(!redact(&mut json!({ "city": "Bonn" }), &|name| name == "api_key"));
    }

    #[test]
    fn keys_and_credentials_in_text_are_redacted() {
        for (text, expected) in [
            ("use sk-proj-0123456789abcdef0123, please", "use [REDACTED], please"),
            ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [REDACTED]"),
            ("at https://ann:s3cret@h.test/a?b", "at https://[REDACTED]@h.test/a?b"),
            ("ghp_0123456789abcdefghij", "[REDACTED]"),
        ] {
            assert_eq!(redact_text(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["sk-short1", "https://h.test/a@b", "eyJust-a-very-long-english-word", "é"] {
            assert_eq!(redact_text(text), None, "{text}");
        }
    }
}
