//! Formatting of event fields on stderr: the format of `tracing-subscriber` with secret values
//! redacted.

use crate::telemetry::redaction::{DenyList, REDACTED};
use std::error::Error;
use std::fmt;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::field::VisitOutput;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::DefaultVisitor;
use tracing_subscriber::fmt::format::Writer;

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
        let is_secret = self.deny.denies(field.name());
        if is_secret {
            self.inner.record_debug(field, &format_args!("{REDACTED}"));
        }
        is_secret
    }
}

impl Visit for RedactingVisitor<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.write_redacted(field) {
            self.inner.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if !self.write_redacted(field) {
            self.inner.record_error(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.write_redacted(field) {
            self.inner.record_debug(field, value);
        }
    }
}
