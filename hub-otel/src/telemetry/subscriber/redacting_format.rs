//! Formatting of event fields on stderr: the format of `tracing-subscriber` with secret values
//! redacted, without the content of GenAI calls, and with control characters escaped, so that a
//! value can neither forge a line nor control a terminal.

use crate::gen_ai::content::is_content;
use crate::telemetry::redaction::{DenyList, REDACTED};
use std::error::Error;
use std::fmt;
use std::fmt::Write;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::field::VisitOutput;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::DefaultVisitor;
use tracing_subscriber::fmt::format::Writer;

/// Location in the source of a record of the `log` crate: not printed, as of an event.
const LOG_LOCATION: [&str; 3] = ["log.module_path", "log.file", "log.line"];

/// Formats fields and redacts those on the deny-list.
#[derive(Debug)]
pub(crate) struct RedactingFields(pub(crate) DenyList);

impl<'writer> FormatFields<'writer> for RedactingFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor =
            RedactingVisitor { inner: DefaultVisitor::new(writer, true), deny: &self.0 };
        fields.record(&mut visitor);
        visitor.inner.finish()
    }
}

struct RedactingVisitor<'writer, 'list> {
    inner: DefaultVisitor<'writer>,
    deny: &'list DenyList,
}

impl RedactingVisitor<'_, '_> {
    /// Writes `[REDACTED]` for a secret field. Returns whether the field is secret.
    fn write_redacted(&mut self, field: &Field) -> bool {
        let is_secret = self.deny.redacts(field.name());
        if is_secret {
            self.inner.record_debug(field, &format_args!("{REDACTED}"));
        }
        is_secret
    }
}

impl Visit for RedactingVisitor<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if LOG_LOCATION.contains(&field.name()) || is_content(field.name()) {
            return;
        }
        // `Debug` of a string escapes what `Escaped` does; the message is written without quotes.
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        match value.source() {
            None => self.record_debug(field, &format_args!("{value}")),
            Some(source) => {
                let name = field.name();
                self.record_debug(field, &format_args!("{value} {name}.sources={}", Chain(source)));
            }
        }
    }

    // Numbers and Booleans are never redacted. By default their methods call `record_debug`.

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.inner.record_f64(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.inner.record_i64(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if LOG_LOCATION.contains(&field.name()) {
            return;
        }
        self.inner.record_u64(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.inner.record_i128(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.inner.record_u128(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.inner.record_bool(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if is_content(field.name()) {
            return;
        }
        if !self.write_redacted(field) {
            self.inner.record_debug(field, &Escaped(value));
        }
    }
}

/// The causes of an error, in brackets.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = std::iter::successors(Some(self.0), |&error| error.source());
        for (index, cause) in causes.enumerate() {
            let separator = if index == 0 { "[" } else { ", " };
            write!(f, "{separator}{cause}")?;
        }
        f.write_str("]")
    }
}

/// A value whose control characters are escaped as in a Rust string.
pub(super) struct Escaped<'a>(pub(super) &'a dyn fmt::Debug);

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(EscapingWriter(f), "{:?}", self.0)
    }
}

struct EscapingWriter<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for EscapingWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(position) = rest.find(is_unsafe) {
            let (plain, tail) = rest.split_at(position);
            self.0.write_str(plain)?;
            let mut characters = tail.chars();
            if let Some(character) = characters.next() {
                write!(self.0, "{}", character.escape_debug())?;
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Returns whether a character starts a line, controls a terminal, or changes the direction of
/// text.
fn is_unsafe(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(
            character,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        format!("{:?}", Escaped(&format_args!("{text}")))
    }

    #[test]
    fn characters_that_forge_lines_or_control_terminals_are_escaped() {
        assert_eq!(escaped("a\nb\r\u{1b}[31m\u{9b}2J\u{7f}"), r"a\nb\r\u{1b}[31m\u{9b}2J\u{7f}");
        assert_eq!(escaped("a\u{202e}b\u{2028}c"), r"a\u{202e}b\u{2028}c");
        assert_eq!(escaped("plain \t text, \"quoted\", ü 🚨"), "plain \t text, \"quoted\", ü 🚨");
    }
}
