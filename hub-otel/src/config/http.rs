//! OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: which methods of HTTP have series of their own.

use crate::config::reader::{Reader, Setting};
use std::sync::Arc;

/// The names of methods, as they are sent: case matters.
pub(crate) type Methods = Arc<[Arc<str>]>;

/// Every name is a series for each route: a list longer than this is a mistake.
const MOST: usize = 64;

/// `None`: those that the conventions know. A list replaces them all (HTTP spans, `http.request.method`).
pub(crate) fn methods(read: &mut Reader<'_>) -> Setting<Option<Methods>> {
    read.read(&["OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"], None, |value| {
        let mut methods: Vec<Arc<str>> = Vec::new();
        for word in value.split(',').map(str::trim) {
            if word.is_empty() || !word.bytes().all(is_token) {
                return Err("methods of HTTP with commas, e.g. `GET,POST,PURGE`".to_owned());
            }
            if !methods.iter().any(|method| **method == *word) {
                methods.push(word.into());
            }
        }
        if methods.len() > MOST {
            return Err(format!("no more than {MOST} methods"));
        }
        Ok(Some(methods.into()))
    })
}

/// What a method may be made of (RFC 9110, "Tokens").
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
