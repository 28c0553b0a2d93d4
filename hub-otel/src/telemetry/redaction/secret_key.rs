//! Names of attributes, labels and headers that hold a secret.

use crate::semconv::gen_ai;
use opentelemetry_semantic_conventions::attribute as s;

/// Words that mark a name as secret.
const SECRET_WORDS: &[&str] = &[
    "apikey",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "token",
];

/// Adjacent word pairs that mark a name as secret.
const SECRET_WORD_PAIRS: &[[&str; 2]] = &[
    ["access", "key"],
    ["api", "key"],
    ["api", "keys"],
    ["encryption", "key"],
    ["master", "key"],
    ["private", "key"],
    ["signing", "key"],
];

/// Words that directly follow a secret word if the value is a measure or a kind and no secret:
/// `token_count`, `first_token_ms`, `secret.type`.
const DESCRIPTORS: &[&str] = &[
    "budget", "cost", "count", "counts", "index", "latency", "length", "limit", "limits",
    "modality", "ms", "position", "price", "rate", "ratio", "seconds", "size", "total", "type",
    "usage", "used",
];

/// Keys of the semantic conventions that contain a secret word and hold no secret. Templates, such
/// as `http.request.header.<key>`, are not exempt. `gen_ai.token.type` has a [descriptor](DESCRIPTORS).
const EXEMPT_KEYS: &[&str] = &[
    s::ASPNETCORE_AUTHORIZATION_POLICY,
    s::ASPNETCORE_AUTHORIZATION_RESULT,
    s::ASPNETCORE_IDENTITY_PASSWORD_CHECK_RESULT,
    s::ASPNETCORE_IDENTITY_TOKEN_PURPOSE,
    s::ASPNETCORE_IDENTITY_TOKEN_VERIFIED,
    s::AWS_SECRETSMANAGER_SECRET_ARN,
    gen_ai::TOKEN_CACHE,
    gen_ai::TOKEN_PHASE,
];

/// Returns whether a name contains a secret word or word pair.
pub(crate) fn is_secret(name: &str) -> bool {
    secret_word(name).is_some()
}

/// Returns the word that marks a name as secret.
pub(crate) fn secret_word(name: &str) -> Option<&str> {
    let mut found = None;
    let mut previous = "";
    for word in words(name) {
        let is_one_of = |list: &[&str]| list.iter().any(|entry| entry.eq_ignore_ascii_case(word));
        let is_pair = SECRET_WORD_PAIRS.iter().any(|[first, second]| {
            first.eq_ignore_ascii_case(previous) && second.eq_ignore_ascii_case(word)
        });
        if is_pair || is_one_of(SECRET_WORDS) {
            found = found.or(Some(word));
        } else if is_one_of(DESCRIPTORS) {
            found = None;
        } else if found.is_some() {
            break;
        }
        previous = word;
    }
    found.filter(|_| !EXEMPT_KEYS.iter().any(|exempt| is_same_key(exempt, name)))
}

/// Returns whether both keys name the same attribute. Prometheus replaces dots by underscores.
pub(crate) fn is_same_key(first: &str, second: &str) -> bool {
    let normalize = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    first.chars().map(normalize).eq(second.chars().map(normalize))
}

/// Splits a name at characters that are no letters or digits, and `camelCase` at its capitals.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).flat_map(|part| {
        let mut rest = part;
        std::iter::from_fn(move || {
            let (word, after) = rest.split_at(capital_index(rest));
            rest = after;
            (!word.is_empty()).then_some(word)
        })
    })
}

/// Returns the index of the first capital that begins another word, or the length: 3 for `apiKey`
/// and for `APIKey`.
fn capital_index(part: &str) -> usize {
    let bytes = part.as_bytes();
    let begins_word = |index: &usize| {
        let is_lower = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_lowercase);
        bytes[*index].is_ascii_uppercase()
            && (!bytes[*index - 1].is_ascii_uppercase() || is_lower(*index + 1))
    };
    (1..bytes.len()).find(begins_word).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_secret_if_it_contains_a_secret_word_as_a_whole_word() {
        for name in [
            "password",
            "db.password",
            "http.request.header.authorization",
            "http.request.header.x-api-key",
            "Authorization",
            "api_key",
            "X-API-Key",
            "apiKey",
            "APIKey",
            "accessToken",
            "userPassword",
            "session_token",
            "session_token_hash",
            "auth.token",
            "csrf.token.value",
            "Set-Cookie",
            "http.cookies",
            "token.count.secret",
            "db.query.parameter.password",
        ] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn no_key_of_the_gen_ai_conventions_is_secret() {
        let registry = include_str!("../../../../tests/contract/gen_ai_registry.txt");
        let mut keys = 0;
        for line in registry.lines().filter(|line| !line.starts_with('#')) {
            for key in line.split(' ').filter(|word| word.starts_with("gen_ai.")) {
                assert!(!is_secret(key), "{key}: {:?}", secret_word(key));
                assert!(!is_secret(&key.replace('.', "_")), "{key} as a label");
                keys += 1;
            }
        }
        assert!(keys > 90, "{keys}");
    }

    #[test]
    fn measures_kinds_and_keys_of_the_conventions_are_not_secret() {
        for name in [
            "gen_ai.token.type",
            "gen_ai_token_type",
            "gen_ai.token.modality",
            gen_ai::USAGE_INPUT_TOKENS,
            "llm.token_count.prompt",
            "llm.token_count.completion_details.reasoning",
            "token_count",
            "tokenCount",
            "first_token_ms",
            "token_budget",
            "max_tokens",
            "aws.secretsmanager.secret.arn",
            "aspnetcore.identity.token_purpose",
            crate::semconv::attribute::WORKFLOW_ID,
            "author",
            "authentication.method",
            "db.collection.name",
            "key",
            "tokenizer",
            "",
            "_",
        ] {
            assert!(!is_secret(name), "{name}: {:?}", secret_word(name));
        }
    }
}
