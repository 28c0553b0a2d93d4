//! Reads an action's input into a type, and says what is wrong with it in the words of whoever wrote the workflow.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

use super::AgentError;

/// The input as `T`; no input at all is an empty object.
pub(super) fn read<T: DeserializeOwned>(input: Value) -> Result<T, AgentError> {
    let input = if input.is_null() { Value::Object(serde_json::Map::new()) } else { input };
    serde_json::from_value(input).map_err(|error| {
        AgentError::permanent("invalid_input", format!("the action's input is wrong: {error}"))
    })
}

/// A whole number that a template may have made a text of; null and an empty text are zero.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(0),
        Value::String(text) if text.trim().is_empty() => Ok(0),
        Value::String(text) => text
            .trim()
            .parse()
            .map_err(|_| D::Error::custom(format!("`{text}` is no whole number"))),
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| {
                // 3000.0 is what arithmetic in a template makes of 3000.
                number
                    .as_f64()
                    .filter(|float| float.fract() == 0.0 && (0.0..=9e15).contains(float))
                    .map(|float| float as u64)
            });
            whole.ok_or_else(|| D::Error::custom(format!("`{number}` is no whole number")))
        }
        _ => Err(D::Error::custom("expected a whole number")),
    }
}
