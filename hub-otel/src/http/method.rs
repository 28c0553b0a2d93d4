//! The request's method as a label: the known ones by name, everything else `_OTHER`, so that a stranger cannot make series.
//!
//! Which ones are known is the conventions' word, or OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS's (HTTP spans,
//! `http.request.method`).

use crate::instance::Instance;
use crate::semconv::instrumentation as boundary;
use opentelemetry::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// RFC 9110, PATCH and QUERY; the most frequent ones first, because they are looked through.
const DEFAULT: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "QUERY", "CONNECT", "TRACE"];

/// A method that is known, or none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// One that the conventions know.
    Default(&'static str),
    /// One that the environment knows.
    Listed(Arc<str>),
    Other,
}

/// The methods that have series of their own.
pub(crate) struct KnownMethods(Box<[Method]>);

impl Default for KnownMethods {
    fn default() -> Self {
        Self(DEFAULT.into_iter().map(Method::Default).collect())
    }
}

impl Instance {
    pub(crate) fn http_methods(&self) -> &KnownMethods {
        self.extensions.get_or_init(KnownMethods::default)
    }

    /// Restricts the methods with series of their own to `names`. No effect after the first request.
    pub(crate) fn set_http_methods(&self, names: &[Arc<str>]) {
        self.extensions.get_or_init(|| KnownMethods::only(names));
    }
}

impl KnownMethods {
    /// These and no others: the list replaces the default.
    pub(crate) fn only(names: &[Arc<str>]) -> Self {
        Self(names.iter().cloned().map(Method::Listed).collect())
    }

    pub(crate) fn of(&self, method: &http_types::Method) -> Method {
        let method = method.as_str();
        self.0.iter().find(|known| known.name() == method).cloned().unwrap_or(Method::Other)
    }
}

impl Method {
    fn name(&self) -> &str {
        match self {
            Self::Default(name) => name,
            Self::Listed(name) => name,
            Self::Other => boundary::OTHER,
        }
    }

    /// `http.request.method`.
    pub(crate) fn label(&self) -> Value {
        match self {
            Self::Default(name) => Value::from(*name),
            Self::Listed(name) => Value::from(name.clone()),
            Self::Other => Value::from(boundary::OTHER),
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn is(&self, method: &http_types::Method) -> bool {
        self.name() == method.as_str()
    }

    /// The method in a span's name: `HTTP` where it is not known (HTTP spans, "Name").
    fn in_name(&self) -> Cow<'static, str> {
        match self {
            Self::Default(name) => Cow::Borrowed(name),
            Self::Listed(name) => Cow::Owned((**name).to_owned()),
            Self::Other => Cow::Borrowed("HTTP"),
        }
    }

    /// `{method} {template}`, or the method alone where no template is known: never the path.
    pub(crate) fn span_name(&self, template: Option<&str>) -> Cow<'static, str> {
        let method = self.in_name();
        match template {
            Some(template) => {
                let mut name = String::with_capacity(method.len() + 1 + template.len());
                name.push_str(&method);
                name.push(' ');
                name.push_str(template);
                name.into()
            }
            None => method,
        }
    }
}

/// `server.address`: a host as it is written, an IPv6 address without its brackets.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// `network.protocol.version`.
pub(crate) fn version(version: http_types::Version) -> &'static str {
    match version {
        http_types::Version::HTTP_09 => "0.9",
        http_types::Version::HTTP_10 => "1.0",
        http_types::Version::HTTP_2 => "2",
        http_types::Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// A status code as an `error.type`.
pub(crate) fn status_kind(status: http_types::StatusCode) -> Cow<'static, str> {
    match status.as_u16() {
        400 => "400".into(),
        401 => "401".into(),
        403 => "403".into(),
        404 => "404".into(),
        409 => "409".into(),
        422 => "422".into(),
        429 => "429".into(),
        500 => "500".into(),
        501 => "501".into(),
        502 => "502".into(),
        503 => "503".into(),
        504 => "504".into(),
        other => other.to_string().into(),
    }
}
