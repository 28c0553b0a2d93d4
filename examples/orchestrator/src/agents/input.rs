//! Deserializes the input of an action.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

use super::AgentError;

/// Deserializes the input. No input is an empty object.
pub(super) fn parse<T: DeserializeOwned>(input: Value) -> Result<T, AgentError> {
    let input = if input.is_null() { Value::Object(serde_json::Map::new()) } else { input };
    serde_json::from_value(input)
        .map_err(|error| AgentError::permanent("invalid_input", format!("invalid input: {error}")))
}

/// Deserializes an integer, which a template can render as a string. Null and an empty string are
/// zero.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(0),
        Value::String(text) if text.trim().is_empty() => Ok(0),
        Value::String(text) => {
            text.trim().parse().map_err(|_| D::Error::custom(format!("`{text}` is not an integer")))
        }
        Value::Number(number) => {
            let integer = number.as_u64().or_else(|| {
                // Arithmetic in a template renders 3000 as 3000.0.
                number
                    .as_f64()
                    .filter(|float| float.fract() == 0.0 && (0.0..=9e15).contains(float))
                    .map(|float| float as u64)
            });
            integer.ok_or_else(|| D::Error::custom(format!("`{number}` is not an integer")))
        }
        _ => Err(D::Error::custom("expected an integer")),
    }
}
