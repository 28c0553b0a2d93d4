//! The conventions for spans, as tables: key, type, requirement level and section.
//!
//! "HTTP" is docs/http/http-spans.md, "DB" docs/db/database-spans.md, "SQL" docs/db/sql.md, "PostgreSQL"
//! docs/db/postgresql.md of the semantic conventions. A number in brackets is the note below the
//! table of that section, in the pages that refer to version 1.47 (HTTP) and 1.51 (DB) of the
//! specification.

use hub_otel::testing::{Span, Value};

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Int,
    Texts,
}

impl Type {
    pub(super) fn admits(self, value: &Value) -> bool {
        match self {
            Self::Text => matches!(value, Value::String(text) if !text.is_empty()),
            Self::Int => matches!(value, Value::Int(_)),
            Self::Texts => {
                matches!(value, Value::Array(items) if items.iter().all(|item| matches!(item, Value::String(_))))
            }
        }
    }
}

/// The requirement level of an attribute, and its condition on a span.
pub(super) enum When {
    /// Required.
    Always,
    /// Conditionally required: there exactly when the condition holds.
    If(&'static str, fn(&Span) -> bool),
    /// Conditionally required by what a span does not show in full: there at least when this holds.
    AtLeastIf(&'static str, fn(&Span) -> bool),
    /// Recommended, or opt-in: may be there.
    Recommended,
    OptIn,
    /// MetricModel for by the conventions, and left out on purpose.
    Never(&'static str),
}

/// One row.
pub(super) struct Rule {
    pub(super) key: &'static str,
    pub(super) value: Type,
    pub(super) when: When,
    pub(super) section: &'static str,
}

impl Rule {
    /// A key that ends with a dot matches all keys with that prefix.
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
        Some(Value::Int(code)) => Some(*code),
        _ => None,
    }
}

/// "HTTP, Status": 5xx, or an error without a status code.
fn failed(span: &Span) -> bool {
    span.status != "Unset"
}

/// Nothing went wrong, or what went wrong is the status itself: so there was one.
fn has_response(span: &Span) -> bool {
    let error = span.text("error.type");
    error.is_empty() || error.parse::<u16>().is_ok()
}

fn is_other(span: &Span) -> bool {
    span.text("http.request.method") == "_OTHER"
}

fn has_target(span: &Span) -> bool {
    span.name.contains('/')
}

/// "HTTP, Name": `{method} {target}`, or `{method}`; a method that is not known is `HTTP`.
fn http_name(span: &Span, target: &str) -> String {
    let method = if is_other(span) { "HTTP".to_owned() } else { span.text("http.request.method") };
    format!("{method} {}", span.text(target)).trim_end().to_owned()
}

/// The conventions for one sort of span.
pub(super) struct Sort {
    pub(super) kind: &'static str,
    /// The attribute by which such a span is known.
    pub(super) mark: &'static str,
    pub(super) name: fn(&Span) -> String,
    /// From which status on it is an error.
    pub(super) errors: i64,
    pub(super) rules: &'static [Rule],
}

impl Sort {
    /// "HTTP, Status": an error exactly from some status on, or with an `error.type`.
    pub(super) fn is_error(&self, span: &Span) -> bool {
        status(span).is_some_and(|code| code >= self.errors) || has(span, "error.type")
    }
}

use Type::{Int, Text, Texts};
use When::{Always, AtLeastIf, If, Never, OptIn, Recommended};

const QUERY: &str = "a query string may hold secrets";

pub(super) const HTTP_SERVER: Sort = Sort {
    kind: "Server",
    mark: "http.request.method",
    name: |span| http_name(span, "http.route"),
    errors: 500,
    rules: &[
        rule("http.request.method", Text, Always, "HTTP, HTTP server span [1]"),
        rule("url.path", Text, Always, "HTTP, HTTP server span [2]"),
        rule("url.scheme", Text, Always, "HTTP, HTTP server span [3]"),
        rule(
            "error.type",
            Text,
            If("it ended with an error", failed),
            "HTTP, HTTP server span [4]; Status",
        ),
        rule(
            "http.request.method_original",
            Text,
            If("it differs from http.request.method", is_other),
            "HTTP, HTTP server span [5]",
        ),
        rule(
            "http.response.status_code",
            Int,
            AtLeastIf("one was sent", has_response),
            "HTTP, HTTP server span",
        ),
        rule("http.route", Text, If("it is available", has_target), "HTTP, HTTP server span [6]"),
        rule("server.port", Int, AtLeastIf("never alone", |_| false), "HTTP, HTTP server span [9]"),
        rule("url.query", Text, Never(QUERY), "HTTP, HTTP server span [10]"),
        rule("client.address", Text, Recommended, "HTTP, HTTP server span [11]"),
        rule("network.peer.address", Text, Recommended, "HTTP, HTTP server span"),
        rule(
            "network.peer.port",
            Int,
            If("network.peer.address is set", |s| has(s, "network.peer.address")),
            "HTTP, HTTP server span",
        ),
        rule("network.protocol.version", Text, Recommended, "HTTP, HTTP server span [12]"),
        rule("server.address", Text, Recommended, "HTTP, HTTP server span [13]"),
        rule(
            "user_agent.original",
            Text,
            Recommended,
            "HTTP, HTTP server span; here: when it is named",
        ),
        rule("http.request.header.", Texts, OptIn, "HTTP, HTTP server span [15]"),
        rule("http.response.header.", Texts, OptIn, "HTTP, HTTP server span [16]"),
    ],
};

pub(super) const HTTP_CLIENT: Sort = Sort {
    kind: "Client",
    mark: "http.request.method",
    name: |span| http_name(span, "url.template"),
    errors: 400,
    rules: &[
        rule("http.request.method", Text, Always, "HTTP, HTTP client span [1]"),
        rule("server.address", Text, Always, "HTTP, HTTP client span [2]"),
        rule("server.port", Int, Always, "HTTP, HTTP client span [3]"),
        rule("url.full", Text, Always, "HTTP, HTTP client span [4]"),
        rule(
            "error.type",
            Text,
            If("it ended with an error", failed),
            "HTTP, HTTP client span [5]; Status",
        ),
        rule(
            "http.request.method_original",
            Text,
            If("it differs from http.request.method", is_other),
            "HTTP, HTTP client span [6]",
        ),
        rule(
            "http.response.status_code",
            Int,
            AtLeastIf("one was received", has_response),
            "HTTP, HTTP client span",
        ),
        rule(
            "http.request.resend_count",
            Int,
            Recommended,
            "HTTP, HTTP client span [9]; HTTP request retries and redirects",
        ),
        rule("network.peer.address", Text, Recommended, "HTTP, HTTP client span"),
        rule(
            "network.peer.port",
            Int,
            If("network.peer.address is set", |s| has(s, "network.peer.address")),
            "HTTP, HTTP client span",
        ),
        rule("network.protocol.version", Text, Recommended, "HTTP, HTTP client span [10]"),
        rule(
            "url.template",
            Text,
            If("the name has it", has_target),
            "HTTP, HTTP client span [14]",
        ),
    ],
};

const TEXT: &str = "a statement's text may hold literals";

pub(super) const DB_CLIENT: Sort = Sort {
    kind: "Client",
    mark: "db.system.name",
    name: |span| {
        // "DB, Name": the summary, else the target, else the system.
        ["db.query.summary", "db.namespace", "server.address", "db.system.name"]
            .into_iter()
            .map(|key| span.text(key))
            .find(|name| !name.is_empty())
            .unwrap_or_default()
    },
    errors: i64::MAX,
    rules: &[
        rule("db.system.name", Text, Always, "DB, Span definition [1]"),
        // "SQL, Spans" [7] [10] would not have them taken from the statement's text; the issue that ordered them does, where
        // the text has exactly one.
        rule("db.collection.name", Text, OptIn, "DB, Span definition [2]; SQL, Spans [6]"),
        rule("db.operation.name", Text, OptIn, "DB, Span definition [5]; SQL, Spans [9]"),
        rule("db.namespace", Text, Recommended, "DB, Span definition [4]; PostgreSQL, Spans [1]"),
        rule(
            "db.response.status_code",
            Text,
            Recommended,
            "DB, Span definition [7]; SQL, Spans [2]: if it failed and there is one",
        ),
        rule("error.type", Text, If("it failed", failed), "DB, Span definition [9]"),
        rule(
            "server.port",
            Int,
            Recommended,
            "DB, Span definition [10]: if it is not the usual one",
        ),
        rule(
            "db.query.summary",
            Text,
            If("the span is named after it", |s| s.text("db.system.name") != s.name),
            "DB, Span definition [13]; Generating a summary of the query",
        ),
        rule("db.query.text", Text, Never(TEXT), "DB, Span definition [15]"),
        rule("server.address", Text, Recommended, "DB, Span definition [20]"),
        rule(
            "db.query.parameter.",
            Text,
            Never("bound values are secrets"),
            "DB, Span definition [21]",
        ),
        rule("db.response.returned_rows", Int, OptIn, "DB, Span definition; SQL, Spans [19]"),
    ],
};
