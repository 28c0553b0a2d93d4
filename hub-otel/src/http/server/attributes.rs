//! The attributes of a server span at its start (HTTP spans, "HTTP server span").

use crate::http::method::{Method, protocol_version, strip_brackets};
use crate::http::server::forwarded::Forwarded;
use crate::http::server::metrics::{Host, HttpServerMetrics, Route, Scheme};
use crate::http::server::settings::ServerSettings;
use crate::semconv::{attribute as a, kv};
use axum::extract::{ConnectInfo, OriginalUri};
use http_types::HeaderMap;
use http_types::HeaderName;
use http_types::Request;
use http_types::Uri;
use http_types::header;
use opentelemetry::Array;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// Returns the URI as the client sent it. Inside of a nested router the request's own URI lacks the
/// prefix.
pub(super) fn original_uri<B>(request: &Request<B>) -> &Uri {
    request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0)
}

/// Returns `url.scheme`: from a trusted proxy, else from the settings, else from the request.
pub(super) fn scheme<B>(
    settings: &ServerSettings,
    request: &Request<B>,
    forwarded: &Forwarded<'_>,
) -> Scheme {
    let is_tls = || settings.behind_tls || original_uri(request).scheme_str() == Some("https");
    let is_https = forwarded.https.unwrap_or_else(is_tls);
    if is_https { Scheme::Https } else { Scheme::Http }
}

pub(super) fn at_start<B>(
    metrics: &HttpServerMetrics,
    settings: &ServerSettings,
    request: &Request<B>,
    forwarded: &Forwarded<'_>,
    method: &Method,
    scheme: Scheme,
    route: &Route,
) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(10);
    attributes.push(kv(a::HTTP_REQUEST_METHOD, method.label()));
    if *method == Method::Other {
        attributes.push(kv(a::HTTP_REQUEST_METHOD_ORIGINAL, request.method().as_str().to_owned()));
    }
    attributes.push(kv(a::URL_SCHEME, scheme.label()));
    attributes.push(kv(a::NETWORK_PROTOCOL_VERSION, protocol_version(request.version())));
    let path = original_uri(request).path();
    match &route.template {
        Some(template) => {
            attributes.push(kv(a::HTTP_ROUTE, template.clone()));
            if settings.is_redacted(path) || **template == *path {
                attributes.push(kv(a::URL_PATH, template.clone()));
            } else {
                attributes.push(kv(a::URL_PATH, path.to_owned()));
            }
        }
        None if settings.is_redacted(path) => attributes.push(kv(a::URL_PATH, "/REDACTED")),
        None => attributes.push(kv(a::URL_PATH, path.to_owned())),
    }
    push_server(metrics, request, forwarded, &mut attributes);
    if let Some(client) = forwarded.client {
        attributes.push(kv(a::CLIENT_ADDRESS, client.to_string()));
    }
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let address: Arc<str> = peer.ip().to_string().into();
        if forwarded.client.is_none() {
            attributes.push(kv(a::CLIENT_ADDRESS, address.clone()));
        }
        attributes.push(kv(a::NETWORK_PEER_ADDRESS, address));
        attributes.push(kv(a::NETWORK_PEER_PORT, i64::from(peer.port())));
    }
    for name in &settings.request_headers {
        if *name == header::USER_AGENT {
            let agent = request.headers().get(name).and_then(|value| value.to_str().ok());
            attributes.extend(agent.map(|agent| kv(a::USER_AGENT_ORIGINAL, agent.to_owned())));
        } else {
            attributes.extend(header_attribute(a::HTTP_REQUEST_HEADER, name, request.headers()));
        }
    }
    attributes
}

/// Returns the attribute of a header: a list, because a header may occur more than once.
pub(super) fn header_attribute(
    prefix: &str,
    name: &HeaderName,
    headers: &HeaderMap,
) -> Option<KeyValue> {
    let values: Vec<StringValue> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(|value| StringValue::from(value.to_owned()))
        .collect();
    (!values.is_empty())
        .then(|| kv(format!("{prefix}.{name}"), Value::Array(Array::String(values))))
}

/// Adds `server.address` and `server.port` of the original request: from the header of a trusted
/// proxy, `:authority` or `Host` (HTTP spans, "Setting `server.address` and `server.port`
/// attributes"), without userinfo.
fn push_server<B>(
    metrics: &HttpServerMetrics,
    request: &Request<B>,
    forwarded: &Forwarded<'_>,
    attributes: &mut Vec<KeyValue>,
) {
    if let (None, Some(uri)) = (forwarded.host, original_uri(request).authority()) {
        attributes.push(kv(a::SERVER_ADDRESS, strip_brackets(uri.host()).to_owned()));
        attributes.extend(uri.port_u16().map(|port| kv(a::SERVER_PORT, i64::from(port))));
        return;
    }
    let host = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(text) = forwarded.host.or_else(host) else { return };
    let host = metrics.host(text, |text| {
        let (host, port) = host_and_port(text)?;
        Some(Host { address: strip_brackets(host).into(), port })
    });
    let Some(host) = host else { return };
    attributes.push(kv(a::SERVER_ADDRESS, Arc::clone(&host.address)));
    attributes.extend(host.port.map(|port| kv(a::SERVER_PORT, i64::from(port))));
}

/// `example.com`, `example.com:80`, `[::1]:80` (RFC 9110, "Host and :authority"); what has more in it, or less, is none.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte);
    if !text.bytes().all(is_allowed) {
        return None;
    }
    let (host, port) = match text.find(']') {
        Some(end) if text.starts_with('[') => match &text[end + 1..] {
            "" => (text, None),
            rest => (&text[..=end], Some(rest.strip_prefix(':')?)),
        },
        Some(_) => return None,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().ok()?),
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use crate::http::server::attributes::host_and_port;

    #[test]
    fn a_host_is_parsed_with_or_without_a_port_and_anything_else_is_rejected() {
        for (text, expected) in [
            ("example.com", ("example.com", None)),
            ("example.com:8080", ("example.com", Some(8080))),
            ("example.com:", ("example.com", None)),
            ("10.0.0.1:80", ("10.0.0.1", Some(80))),
            ("[::1]", ("[::1]", None)),
            ("[2001:db8::1]:443", ("[2001:db8::1]", Some(443))),
        ] {
            assert_eq!(host_and_port(text), Some(expected), "{text}");
            let parsed: http_types::uri::Authority = text.parse().unwrap();
            assert_eq!((parsed.host(), parsed.port_u16()), expected, "{text}");
        }
        for wrong in [
            "",
            ":80",
            "me:secret@host",
            "host/path",
            "host:port",
            "host:70000",
            "::1",
            "[::1]x",
            "a]b",
            "a b",
            "h?q",
        ] {
            assert_eq!(host_and_port(wrong), None, "{wrong}");
        }
    }
}
