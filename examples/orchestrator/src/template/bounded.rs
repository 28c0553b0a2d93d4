//! A writer of bounded size, and the filters that use it.

use super::MAX_RENDERED;
use minijinja::{Error, ErrorKind, Value};
use std::io::Write as _;

/// A writer that accepts a number of bytes.
pub(super) struct Bounded {
    pub(super) bytes: Vec<u8>,
    room: usize,
}

impl Bounded {
    pub(super) fn new(room: usize) -> Self {
        Self { bytes: Vec::new(), room }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.room
    }

    pub(super) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let fits = self.room.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(fits) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn too_long() -> String {
    format!("renders more than {MAX_RENDERED} bytes")
}

fn failed(_: impl std::error::Error) -> Error {
    Error::new(ErrorKind::InvalidOperation, too_long())
}

/// minijinja's filter, with a bounded result.
pub(super) fn join(items: Value, separator: Option<String>) -> Result<String, Error> {
    let mut text = Bounded::new(MAX_RENDERED);
    let separator = separator.unwrap_or_default();
    for (index, item) in items.try_iter()?.enumerate() {
        if index > 0 {
            text.write_all(separator.as_bytes()).map_err(failed)?;
        }
        write!(text, "{item}").map_err(failed)?;
    }
    Ok(text.into_text())
}

/// Formats a value as JSON, with a bounded result.
pub(super) fn tojson(value: Value) -> Result<String, Error> {
    let mut text = Bounded::new(MAX_RENDERED);
    serde_json::to_writer(&mut text, &value).map_err(failed)?;
    Ok(text.into_text())
}
