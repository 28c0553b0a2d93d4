//! The request's method as a label: the known ones by name, everything else `_OTHER`, so that a stranger cannot make series.

use crate::contract::boundary;

macro_rules! methods {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// A method that the conventions know (RFC 9110, PATCH, QUERY), or none of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Method { $($variant,)+ Other }

        impl Method {
            pub(crate) fn of(method: &http_types::Method) -> Self {
                match method.as_str() {
                    $($text => Self::$variant,)+
                    _ => Self::Other,
                }
            }

            /// `http.request.method`.
            pub(crate) fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other => boundary::OTHER,
                }
            }
        }
    };
}

methods! {
    Connect = "CONNECT",
    Delete = "DELETE",
    Get = "GET",
    Head = "HEAD",
    Options = "OPTIONS",
    Patch = "PATCH",
    Post = "POST",
    Put = "PUT",
    Query = "QUERY",
    Trace = "TRACE",
}

impl Method {
    /// The method in a span's name: `HTTP` where it is not known (HTTP spans, "Name").
    pub(crate) fn in_name(self) -> &'static str {
        if self == Self::Other { "HTTP" } else { self.label() }
    }

    /// `{method} {template}`, or the method alone where no template is known: never the path.
    pub(crate) fn span_name(self, template: Option<&str>) -> std::borrow::Cow<'static, str> {
        match template {
            Some(template) => format!("{} {template}", self.in_name()).into(),
            None => self.in_name().into(),
        }
    }
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
pub(crate) fn status_kind(status: http_types::StatusCode) -> std::borrow::Cow<'static, str> {
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
