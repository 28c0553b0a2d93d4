//! Values on the command line: `key=value`.

use serde_json::{Map, Value};

/// Parses `key=value`. A JSON value keeps its type (`hold_ms=3000`, `tags=["a"]`), any other value
/// is a string.
///
/// # Errors
/// No `=`, or no key.
pub fn key_value(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            Ok((key.trim().to_owned(), value))
        }
        _ => Err(format!("`{text}` is not `key=value`")),
    }
}

/// Builds a context. The last value of a key is used.
pub fn context(pairs: &[(String, Value)]) -> Map<String, Value> {
    pairs.iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_json_keep_their_type() {
        assert_eq!(key_value("hold_ms=3000"), Ok(("hold_ms".into(), Value::from(3_000))));
        assert_eq!(key_value("path=src/a=b"), Ok(("path".into(), Value::from("src/a=b"))));
        assert_eq!(key_value("quoted=\"1\""), Ok(("quoted".into(), Value::from("1"))));
        assert_eq!(key_value("empty="), Ok(("empty".into(), Value::from(""))));
        assert!(key_value("nothing").is_err());
        assert!(key_value("=v").is_err());
    }
}
