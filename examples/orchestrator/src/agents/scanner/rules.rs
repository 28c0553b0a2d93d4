//! What a leaked secret looks like.
//!
//! Each rule is a pattern of a token whose format its issuer documents, plus one for assignments of a long random text
//! to a telling name. A finding never repeats the secret: a report is read by more people than the file was.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

/// One kind of secret.
#[derive(Debug)]
pub struct Rule {
    /// Its stable word, in findings and in placeholders.
    pub id: &'static str,
    pattern: &'static str,
    /// Bits per character that the match's last group must have at least: tells a password from a placeholder.
    entropy: f64,
}

const fn rule(id: &'static str, pattern: &'static str, entropy: f64) -> Rule {
    Rule { id, pattern, entropy }
}

// No upper bounds and no Unicode classes: each repetition is a copy in the compiled pattern, and the first scan waits.
/// Every rule, the specific ones first: the first that matches a place names it.
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

// The patterns are constants, and a test compiles them: an empty set would only mean that nothing is found.
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| Compiled {
    any: RegexSet::new(RULES.iter().map(|rule| rule.pattern)).unwrap_or_else(|_| RegexSet::empty()),
    each: RULES.iter().filter_map(|rule| Regex::new(rule.pattern).ok()).collect(),
});

/// A place in a line that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The rule that found it.
    pub rule: &'static str,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
}

/// The secrets of a line, from left to right, none inside another.
pub fn matches(line: &str) -> Vec<Match> {
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

/// What stands in a report for a secret: how it begins, and how long it is.
pub fn preview(secret: &str) -> String {
    let shown: String = secret.chars().take(4).collect();
    format!("{shown}… ({} characters)", secret.chars().count())
}

/// What the patcher writes in a secret's place.
pub fn placeholder(rule: &str) -> String {
    format!("<redacted:{rule}>")
}

/// Shannon's entropy, in bits per character.
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
        // Put together here, so that this file holds nothing that another scanner would report.
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
            let found = matches(&line);
            assert_eq!(found.iter().map(|place| place.rule).collect::<Vec<_>>(), [rule], "{line}");
            let shown = preview(&line[found[0].start..found[0].end]);
            assert!(!line.contains(&shown), "a preview never repeats the secret: {shown}");
        }
        for line in [
            "password = \"${DB_PASSWORD}\"",
            "token: \"aaaaaaaaaaaaaaaaaaaaaaaa\"",
            "secret = read()",
            "",
        ] {
            assert_eq!(matches(line), [], "{line}");
        }
    }

    #[test]
    fn what_the_patcher_writes_is_not_found_again() {
        for rule in RULES {
            assert_eq!(
                matches(&format!("secret = \"{}\"", placeholder(rule.id))),
                [],
                "{}",
                rule.id
            );
        }
    }
}
