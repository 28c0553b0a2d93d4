//! Rules for leaked secrets.
//!
//! Each rule is the pattern of a documented token format. One more rule matches the assignment of a
//! long random string to a name like `password`. A finding does not contain the secret.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

/// Rule for one kind of secret.
#[derive(Debug)]
pub struct Rule {
    /// Stable id, in findings and in placeholders.
    pub id: &'static str,
    pattern: &'static str,
    /// Minimum entropy of the match in bits per character, which distinguishes a password from a
    /// placeholder.
    entropy: f64,
}

const fn rule(id: &'static str, pattern: &'static str, entropy: f64) -> Rule {
    Rule { id, pattern, entropy }
}

// No upper bounds and no Unicode classes, which would make the compiled patterns large.
/// All rules, the specific ones first. The first rule that matches a position is used.
pub const RULES: &[Rule] = &[
    rule("aws-access-key-id", r"\b((?:AKIA|ASIA)[0-9A-Z]{16})\b", 0.0),
    rule("github-token", r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})\b", 3.0),
    rule("gitlab-token", r"\b(glpat-[A-Za-z0-9_-]{20,})\b", 3.0),
    rule("slack-token", r"\b(xox[abeprs]-[A-Za-z0-9-]{10,})\b", 2.5),
    rule(
        "slack-webhook",
        r"(https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,})",
        0.0,
    ),
    rule(
        "discord-webhook",
        r"(https://(?:[a-z]+\.)?discord(?:app)?\.com/api/webhooks/[0-9]{17,}/[A-Za-z0-9_-]{60,})",
        0.0,
    ),
    rule("google-api-key", r"\b(AIza[0-9A-Za-z_-]{35})\b", 3.0),
    rule("stripe-key", r"\b((?:sk|rk)_live_[0-9A-Za-z]{16,})\b", 3.0),
    rule("npm-token", r"\b(npm_[A-Za-z0-9]{36})\b", 3.0),
    rule("private-key", r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----)", 0.0),
    rule(
        "assigned-secret",
        r#"(?i:password|passwd|secret|token|api[_-]?key|credential)(?i:s?)["']?[ \t]*(?::=|=>|[:=])[ \t]*["']([!-~&&[^"'${}<>]]{16,})["']"#,
        3.7,
    ),
];

struct Compiled {
    any: RegexSet,
    each: Vec<Regex>,
}

// A test compiles the constant patterns, so the fallbacks are not used.
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| Compiled {
    any: RegexSet::new(RULES.iter().map(|rule| rule.pattern)).unwrap_or_else(|_| RegexSet::empty()),
    each: RULES.iter().filter_map(|rule| Regex::new(rule.pattern).ok()).collect(),
});

/// Position of a secret in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Id of the rule.
    pub rule: &'static str,
    /// Start in bytes.
    pub start: usize,
    /// End in bytes.
    pub end: usize,
}

/// Finds the secrets of a line, from left to right, without overlaps.
pub fn find_secrets(line: &str) -> Vec<Match> {
    let mut found: Vec<Match> = Vec::new();
    for index in COMPILED.any.matches(line) {
        let (Some(pattern), Some(rule)) = (COMPILED.each.get(index), RULES.get(index)) else {
            continue;
        };
        for captures in pattern.captures_iter(line) {
            let Some(secret) = captures.get(1) else { continue };
            let overlaps =
                found.iter().any(|other| secret.start() < other.end && other.start < secret.end());
            if !overlaps && entropy(secret.as_str()) >= rule.entropy {
                found.push(Match { rule: rule.id, start: secret.start(), end: secret.end() });
            }
        }
    }
    found.sort_by_key(|place| place.start);
    found
}

/// Describes a secret by its first characters and its length.
pub fn preview(secret: &str) -> String {
    let prefix: String = secret.chars().take(4).collect();
    format!("{prefix}… ({} characters)", secret.chars().count())
}

/// Text that replaces a secret.
pub fn placeholder(rule: &str) -> String {
    format!("<redacted:{rule}>")
}

/// Shannon entropy in bits per character.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::HashMap::new();
    let mut total = 0.0;
    for character in text.chars() {
        *counts.entry(character).or_insert(0.0) += 1.0;
        total += 1.0;
    }
    counts.values().map(|count: &f64| -(count / total) * (count / total).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(COMPILED.each.len(), RULES.len());
        assert_eq!(COMPILED.any.len(), RULES.len());
    }

    #[test]
    fn each_kind_of_secret_is_found_and_a_placeholder_is_not() {
        // Concatenated, so that other scanners do not report this file.
        let random = "q7Zk2Lw9Xc4Vb8Nm1Rt6Yp3Hs5Dg0Jf7Ua4E";
        let cases = [
            ("aws-access-key-id", format!("key = {}{}", "AKIA", "IOSFODNN7EXAMPLE")),
            ("github-token", format!("{}{random}", "ghp_")),
            ("slack-token", format!("{}-123456789012-{random}", "xoxb")),
            ("stripe-key", format!("{}{random}", "sk_live_")),
            ("private-key", format!("-----BEGIN RSA {} KEY-----", "PRIVATE")),
            ("assigned-secret", format!("db_password: \"{random}\"")),
        ];
        for (rule, line) in cases {
            let found = find_secrets(&line);
            assert_eq!(found.iter().map(|place| place.rule).collect::<Vec<_>>(), [rule], "{line}");
            let shown = preview(&line[found[0].start..found[0].end]);
            assert!(!line.contains(&shown), "the preview contains the secret: {shown}");
        }
        for line in [
            "password = \"${DB_PASSWORD}\"",
            "token: \"aaaaaaaaaaaaaaaaaaaaaaaa\"",
            "secret = read()",
            "",
        ] {
            assert_eq!(find_secrets(line), [], "{line}");
        }
    }

    #[test]
    fn a_placeholder_is_not_a_finding() {
        for rule in RULES {
            assert_eq!(
                find_secrets(&format!("secret = \"{}\"", placeholder(rule.id))),
                [],
                "{}",
                rule.id
            );
        }
    }
}
