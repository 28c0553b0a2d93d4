//! What a server span knows from its start (HTTP spans, "HTTP server span").

use super::Settings;
use super::forwarded::Forwarded;
use super::metrics::{Route, Scheme};
use crate::contract::{attribute as a, kv};
use crate::http::method::{Method, bare, version};
use axum::extract::ConnectInfo;
use http_types::{HeaderMap, HeaderName, Request, header, uri::Authority};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use std::net::SocketAddr;

pub(super) fn scheme<B>(settings: &Settings, request: &Request<B>, forwarded: &Forwarded<'_>) -> Scheme {
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
    (!values.is_empty()).then(|| kv(format!("{prefix}.{name}"), Value::Array(Array::String(values))))
}

/// `server.address` and `server.port` as the client asked for them: what a trusted proxy says, `:authority`, or `Host`
/// (HTTP spans, "Setting `server.address` and `server.port` attributes"); never with userinfo.
fn server<B>(request: &Request<B>, forwarded: &Forwarded<'_>, attributes: &mut Vec<KeyValue>) {
    let host = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let parsed;
    let authority = match (&forwarded.host, request.uri().authority()) {
        (None, Some(authority)) => authority,
        (forwarded, _) => {
            let host = forwarded.or_else(host).and_then(|host| host.parse::<Authority>().ok());
            let Some(host) = host else { return };
            parsed = host;
            &parsed
        }
    };
    attributes.push(kv(a::SERVER_ADDRESS, bare(authority.host()).to_owned()));
    if let Some(port) = authority.port_u16() {
        attributes.push(kv(a::SERVER_PORT, i64::from(port)));
    }
}
