//! The fields of the readable lines on stderr: as `tracing-subscriber` writes them, but for values under secret keys.

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

/// Formats fields, and keeps those to itself that the deny-list names.
#[derive(Debug)]
pub(crate) struct Redacted(pub(crate) DenyList);

impl<'writer> FormatFields<'writer> for Redacted {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Visitor { inner: DefaultVisitor::new(writer, true), deny: &self.0 };
        fields.record(&mut visitor);
        visitor.inner.finish()
    }
}

struct Visitor<'writer, 'list> {
    inner: DefaultVisitor<'writer>,
    deny: &'list DenyList,
}

impl Visitor<'_, '_> {
    /// Writes the mark in the place of a secret; whether it was one.
    fn redacts(&mut self, field: &Field) -> bool {
        let secret = self.deny.denies(field.name());
        if secret {
            self.inner.record_debug(field, &format_args!("{REDACTED}"));
        }
        secret
    }
}

impl Visit for Visitor<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.redacts(field) {
            self.inner.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if !self.redacts(field) {
            self.inner.record_error(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.redacts(field) {
            self.inner.record_debug(field, value);
        }
    }
}
