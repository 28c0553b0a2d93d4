//! The conventions for spans, as tables: key, type, when, and the section that says so.
//!
//! "HTTP" is docs/http/http-spans.md, "DB" docs/db/database-spans.md of the semantic conventions, "SQL" docs/db/sql.md.

use hub_otel::testing::Span;
use opentelemetry::{Array, Value};

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Text,
    Int,
    Texts,
}

impl Type {
    pub(super) fn admits(self, value: &Value) -> bool {
        match self {
            Self::Text => matches!(value, Value::String(text) if !text.as_str().is_empty()),
            Self::Int => matches!(value, Value::I64(_)),
            Self::Texts => matches!(value, Value::Array(Array::String(_))),
        }
    }
}

/// When an attribute has to be there.
pub(super) enum When {
    /// Required.
    Always,
    /// Conditionally required: there exactly when the condition holds.
    If(&'static str, fn(&Span) -> bool),
    /// Recommended or opt-in: may be there.
    Maybe,
}

/// One row.
pub(super) struct Rule {
    pub(super) key: &'static str,
    pub(super) value: Type,
    pub(super) when: When,
    pub(super) section: &'static str,
}

impl Rule {
    /// A key that ends with a dot stands for all keys that begin so.
    pub(super) fn covers(&self, key: &str) -> bool {
        if self.key.ends_with('.') { key.starts_with(self.key) } else { key == self.key }
    }
}

const fn rule(key: &'static str, value: Type, when: When, section: &'static str) -> Rule {
    Rule { key, value, when, section }
}

fn has(span: &Span, key: &str) -> bool {
    span.attributes.contains_key(key)
}

fn status(span: &Span) -> Option<i64> {
    match span.attributes.get("http.response.status_code") {
        Some(Value::I64(code)) => Some(*code),
        _ => None,
    }
}

/// The request ended with an error: the status says so, or nothing came back, or it stopped half-way.
fn server_failed(span: &Span) -> bool {
    status(span).is_none_or(|code| code >= 500)
}

fn client_failed(span: &Span) -> bool {
    status(span).is_none_or(|code| code >= 400)
}

fn is_other(span: &Span) -> bool {
    span.text("http.request.method") == "_OTHER"
}

fn is_routed(span: &Span) -> bool {
    span.name.contains('/')
}

use Type::{Int, Text, Texts};
use When::{Always, If, Maybe};

/// Kind SERVER; name `{method} {http.route}`, or `{method}` ("HTTP", Name).
pub(super) const HTTP_SERVER: &[Rule] = &[
    rule("http.request.method", Text, Always, "HTTP, Common attributes"),
    rule(
        "http.request.method_original",
        Text,
        If("the method is not known", is_other),
        "HTTP, Common attributes",
    ),
    rule("url.path", Text, Always, "HTTP, HTTP server span"),
    rule("url.scheme", Text, Always, "HTTP, HTTP server span"),
    rule("http.route", Text, If("a route was matched", is_routed), "HTTP, HTTP server span"),
    rule("http.response.status_code", Int, Maybe, "HTTP, Common attributes: if one was sent"),
    rule("error.type", Text, If("it ended with an error", server_failed), "HTTP, Common attributes"),
    rule("network.protocol.version", Text, Maybe, "HTTP, Common attributes"),
    rule("network.peer.address", Text, Maybe, "HTTP, Common attributes"),
    rule(
        "network.peer.port",
        Int,
        If("network.peer.address is set", |s| has(s, "network.peer.address")),
        "HTTP, Common attributes",
    ),
    rule("server.address", Text, Maybe, "HTTP, HTTP server span"),
    rule("server.port", Int, Maybe, "HTTP, HTTP server span: if server.address is set"),
    rule("client.address", Text, Maybe, "HTTP, HTTP server span"),
    rule("user_agent.original", Text, Maybe, "HTTP, HTTP server span"),
    rule("http.request.header.", Texts, Maybe, "HTTP, HTTP server span: opt-in"),
    rule("http.response.header.", Texts, Maybe, "HTTP, HTTP server span: opt-in"),
];

/// Kind CLIENT; name `{method} {url.template}`, or `{method}` ("HTTP", Name).
pub(super) const HTTP_CLIENT: &[Rule] = &[
    rule("http.request.method", Text, Always, "HTTP, Common attributes"),
    rule(
        "http.request.method_original",
        Text,
        If("the method is not known", is_other),
        "HTTP, Common attributes",
    ),
    rule("server.address", Text, Always, "HTTP, HTTP client span"),
    rule("server.port", Int, Always, "HTTP, HTTP client span"),
    rule("url.full", Text, Always, "HTTP, HTTP client span"),
    rule("url.template", Text, If("the name has it", is_routed), "HTTP, HTTP client span"),
    rule("http.response.status_code", Int, Maybe, "HTTP, Common attributes: if one was received"),
    rule("error.type", Text, If("it ended with an error", client_failed), "HTTP, Common attributes"),
    rule("http.request.resend_count", Int, Maybe, "HTTP, HTTP client span: if it was resent"),
    rule("network.protocol.version", Text, Maybe, "HTTP, Common attributes"),
    rule("network.peer.address", Text, Maybe, "HTTP, Common attributes"),
    rule(
        "network.peer.port",
        Int,
        If("network.peer.address is set", |s| has(s, "network.peer.address")),
        "HTTP, Common attributes",
    ),
];

/// Kind CLIENT; name `{db.query.summary}`, else the system ("DB", Name).
pub(super) const DB_CLIENT: &[Rule] = &[
    rule("db.system.name", Text, Always, "DB, Common attributes"),
    rule("db.operation.name", Text, Maybe, "DB, Common attributes: if readily available"),
    rule("db.collection.name", Text, Maybe, "DB, Common attributes: if there is a single one"),
    rule(
        "db.query.summary",
        Text,
        If("the span is named after it", |s| s.text("db.system.name") != s.name),
        "DB, Generating query summary",
    ),
    rule("db.namespace", Text, Maybe, "DB, Common attributes: if available"),
    rule("db.response.status_code", Text, Maybe, "DB, Common attributes: if it failed and there is one"),
    rule("db.response.returned_rows", Int, Maybe, "DB, Common attributes: opt-in"),
    rule("error.type", Text, If("it failed", |s| s.status != "Unset"), "DB, Common attributes"),
    rule("server.address", Text, Maybe, "DB, Common attributes"),
    rule("server.port", Int, Maybe, "DB, Common attributes"),
];
