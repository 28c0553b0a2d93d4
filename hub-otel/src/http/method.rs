//! Label values that client and server share: method, protocol version, status, host.
//!
//! A method is a label only if it is known, else it is `_OTHER`: a client must not be able to
//! create series. The known methods are those of the conventions, or of
//! OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS (HTTP spans, `http.request.method`).

use crate::instance::Instance;
use crate::semconv::error_type;
use crate::semconv::value::http_method;
use opentelemetry::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// A known method, or any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// A method of the conventions.
    Default(&'static str),
    /// A method of OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS.
    Configured(Arc<str>),
    Other,
}

/// The methods that are label values.
pub(crate) struct KnownMethods(Box<[Method]>);

impl Default for KnownMethods {
    fn default() -> Self {
        Self(http_method::KNOWN.into_iter().map(Method::Default).collect())
    }
}

impl Instance {
    pub(crate) fn http_methods(&self) -> &KnownMethods {
        self.extensions.get_or_init(KnownMethods::default)
    }

    /// Replaces the list of known methods. Has no effect after the first request.
    pub(crate) fn set_http_methods(&self, names: &[Arc<str>]) {
        self.extensions.get_or_init(|| KnownMethods::only(names));
    }
}

impl KnownMethods {
    /// Creates a list that replaces the default.
    pub(crate) fn only(names: &[Arc<str>]) -> Self {
        Self(names.iter().cloned().map(Method::Configured).collect())
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
            Self::Configured(name) => name,
            Self::Other => error_type::OTHER,
        }
    }

    /// Returns `http.request.method`.
    pub(crate) fn label(&self) -> Value {
        match self {
            Self::Default(name) => Value::from(*name),
            Self::Configured(name) => Value::from(name.clone()),
            Self::Other => Value::from(error_type::OTHER),
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn is(&self, method: &http_types::Method) -> bool {
        self.name() == method.as_str()
    }

    /// Returns the method in the name of a span: `HTTP` if it is not known (HTTP spans, "Name").
    fn span_name_prefix(&self) -> Cow<'static, str> {
        match self {
            Self::Default(name) => Cow::Borrowed(name),
            Self::Configured(name) => Cow::Owned((**name).to_owned()),
            Self::Other => Cow::Borrowed("HTTP"),
        }
    }

    /// Returns `{method} {template}`, or the method if there is no template. Never the path.
    pub(crate) fn span_name(&self, template: Option<&str>) -> Cow<'static, str> {
        let method = self.span_name_prefix();
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

/// Returns `host` without the brackets of an IPv6 address, as in `server.address`.
pub(crate) fn strip_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns `network.protocol.version`.
pub(crate) fn protocol_version(version: http_types::Version) -> &'static str {
    match version {
        http_types::Version::HTTP_09 => "0.9",
        http_types::Version::HTTP_10 => "1.0",
        http_types::Version::HTTP_2 => "2",
        http_types::Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// Returns the `error.type` of a status code. The frequent ones are not allocated.
pub(crate) fn status_error_type(status: http_types::StatusCode) -> Cow<'static, str> {
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
