//! Redaction of URLs inside text: of each one, scheme, host and port remain.
//!
//! The path of a webhook is its password, a query holds keys, and an authority holds credentials.
//! Errors of HTTP and database clients print the whole URL.

/// Replaces path, query, fragment and userinfo.
const REDACTED: &str = "REDACTED";

/// Redacts the URLs in `text`: `https://user:key@host:1/a?b` becomes `https://host:1/REDACTED`.
pub(crate) fn redact_urls(text: String) -> String {
    // Most texts have no colon, which is faster to find.
    if !text.split_once(':').is_some_and(|(_, rest)| rest.contains("//")) {
        return text;
    }
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(colon) = rest.find("://") {
        let (before, after) = rest.split_at(colon + "://".len());
        redacted.push_str(before);
        // Characters that no URL contains end it.
        let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"<>`\\^{|}".contains(c);
        let (url, next) = after.split_at(after.find(is_end).unwrap_or(after.len()));
        // Punctuation of the sentence around it.
        let trimmed = url.trim_end_matches(|c: char| ")]'.,;:!?".contains(c));
        push_url(trimmed, before, &mut redacted);
        redacted.push_str(&url[trimmed.len()..]);
        rest = next;
    }
    redacted.push_str(rest);
    redacted
}

/// Appends what may remain of `url`, the part after `://`.
fn push_url(url: &str, before: &str, redacted: &mut String) {
    let (authority, tail) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    // A URL of a local file has no host; its path is no secret, its query is.
    if authority.is_empty() {
        let path = tail.find(['?', '#']).map_or(tail, |end| &tail[..end]);
        let is_file = before.ends_with("file://");
        redacted.push_str(match (is_file, tail) {
            (true, _) => path,
            (false, "") => "",
            (false, _) => "/REDACTED",
        });
        if is_file && path.len() < tail.len() {
            redacted.push('?');
            redacted.push_str(REDACTED);
        }
        return;
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    // A password with a slash in it moves the end of the authority.
    if !is_host(host) || (host.contains(':') && !authority.contains('@') && tail.contains('@')) {
        redacted.push_str(REDACTED);
        return;
    }
    redacted.push_str(host);
    if !matches!(tail, "" | "/") {
        redacted.push('/');
        redacted.push_str(REDACTED);
    } else {
        redacted.push_str(tail);
    }
}

/// Returns whether `host` is a name or an address, with or without a port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let is_ipv6 = host.starts_with('[');
    !name.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || "-._".contains(c) || (is_ipv6 && c == ':'))
}

#[cfg(test)]
mod tests {
    use super::redact_urls;

    #[test]
    fn scheme_host_and_port_of_a_url_remain() {
        for (text, expected) in [
            ("no url: a//b", "no url: a//b"),
            (
                "error sending request for url (http://127.0.0.1:1/services/T0/B0/s?key=s)",
                "error sending request for url (http://127.0.0.1:1/REDACTED)",
            ),
            ("for url (https://h.test/s): refused", "for url (https://h.test/REDACTED): refused"),
            ("url: \"https://u:s@h.test/s\", x", "url: \"https://h.test/REDACTED\", x"),
            ("see https://h.test.", "see https://h.test."),
            ("https://h.test/", "https://h.test/"),
            ("https://h.test?s", "https://h.test/REDACTED"),
            ("https://h.test#s", "https://h.test/REDACTED"),
            ("postgres://u:s@[::1]:5432/db", "postgres://[::1]:5432/REDACTED"),
            ("postgres://u:s/s@h.test/db", "postgres://REDACTED"),
            ("postgres://u:12/s@h.test/db", "postgres://REDACTED"),
            ("amqp://u@v:s@h.test", "amqp://h.test"),
            ("two: http://a/s, http://b/s!", "two: http://a/REDACTED, http://b/REDACTED!"),
            ("joined http://a/s,http://b/s", "joined http://a/REDACTED"),
            ("nested http://a/?next=http://b/s", "nested http://a/REDACTED"),
            ("in (a)s http://a/(s)s", "in (a)s http://a/REDACTED"),
            ("file:///etc/app.toml: denied", "file:///etc/app.toml: denied"),
            ("file:///x.db?key=s", "file:///x.db?REDACTED"),
            ("sqlite:///x?key=s", "sqlite:///REDACTED"),
            ("://", "://"),
            ("https://ü.test/s", "https://ü.test/REDACTED"),
        ] {
            assert_eq!(redact_urls(text.to_owned()), expected, "{text}");
        }
    }
}
