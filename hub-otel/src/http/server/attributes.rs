//! What a server span knows from its start (HTTP spans, "HTTP server span").

use crate::http::method::{Method, bare, version};
use crate::http::server::Settings;
use crate::http::server::forwarded::Forwarded;
use crate::http::server::metrics::{Route, Scheme};
use crate::semconv::{attribute as a, kv};
use axum::extract::ConnectInfo;
use http_types::HeaderMap;
use http_types::HeaderName;
use http_types::Request;
use http_types::header;
use opentelemetry::Array;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::Value;
use std::net::SocketAddr;

pub(super) fn scheme<B>(
    settings: &Settings,
    request: &Request<B>,
    forwarded: &Forwarded<'_>,
) -> Scheme {
    let seen = || settings.https || request.uri().scheme_str() == Some("https");
    let https = forwarded.https.unwrap_or_else(seen);
    if https { Scheme::Https } else { Scheme::Http }
}

pub(super) fn at_start<B>(
    settings: &Settings,
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
    attributes.push(kv(a::NETWORK_PROTOCOL_VERSION, version(request.version())));
    let path = request.uri().path();
    match &route.template {
        Some(template) => {
            attributes.push(kv(a::HTTP_ROUTE, template.clone()));
            if settings.is_hidden(path) || **template == *path {
                attributes.push(kv(a::URL_PATH, template.clone()));
            } else {
                attributes.push(kv(a::URL_PATH, path.to_owned()));
            }
        }
        None if settings.is_hidden(path) => attributes.push(kv(a::URL_PATH, "/REDACTED")),
        None => attributes.push(kv(a::URL_PATH, path.to_owned())),
    }
    server(request, forwarded, &mut attributes);
    if let Some(client) = forwarded.client {
        attributes.push(kv(a::CLIENT_ADDRESS, client.to_string()));
    }
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let address: std::sync::Arc<str> = peer.ip().to_string().into();
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
            attributes.extend(named(a::HTTP_REQUEST_HEADER, name, request.headers()));
        }
    }
    attributes
}

/// A header that was named: a list, because a header may come more than once.
pub(super) fn named(prefix: &str, name: &HeaderName, headers: &HeaderMap) -> Option<KeyValue> {
    let values: Vec<StringValue> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(|value| StringValue::from(value.to_owned()))
        .collect();
    (!values.is_empty())
        .then(|| kv(format!("{prefix}.{name}"), Value::Array(Array::String(values))))
}

/// `server.address` and `server.port` as the client asked for them: what a trusted proxy says, `:authority`, or `Host`
/// (HTTP spans, "Setting `server.address` and `server.port` attributes"); never with userinfo.
fn server<B>(request: &Request<B>, forwarded: &Forwarded<'_>, attributes: &mut Vec<KeyValue>) {
    let host = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let asked = match (forwarded.host, request.uri().authority()) {
        (None, Some(authority)) => Some((authority.host(), authority.port_u16())),
        (forwarded, _) => forwarded.or_else(host).and_then(host_and_port),
    };
    let Some((host, port)) = asked else { return };
    attributes.push(kv(a::SERVER_ADDRESS, bare(host).to_owned()));
    attributes.extend(port.map(|port| kv(a::SERVER_PORT, i64::from(port))));
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
    fn a_host_is_read_with_and_without_its_port_and_nothing_else_is() {
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
