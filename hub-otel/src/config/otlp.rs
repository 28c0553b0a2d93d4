//! How a signal gets to the Collector: OTEL_EXPORTER_OTLP_* and the same per signal.

use crate::config::endpoint::Endpoint;
use crate::config::reader::{Origin, Reader, Setting};
use crate::config::resource::decode;
use crate::config::{Config, Exporter, Signal, endpoint};
use crate::telemetry::redaction as sensitive;
use crate::telemetry::redaction::Sensitive;
use std::path::PathBuf;
use std::time::Duration;

/// How OTLP travels (OTEL_EXPORTER_OTLP_PROTOCOL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// `grpc`: port 4317 by default.
    Grpc,
    /// `http/protobuf`: port 4318 by default.
    HttpProtobuf,
    /// `http/json`: port 4318 by default.
    HttpJson,
}

impl Protocol {
    const WORDS: [(&'static str, Self); 3] = [
        ("grpc", Self::Grpc),
        ("http/protobuf", Self::HttpProtobuf),
        ("http/json", Self::HttpJson),
    ];

    /// As the specification spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        }
    }

    pub(crate) const fn is_http(self) -> bool {
        !matches!(self, Self::Grpc)
    }
}

/// What a request's body is packed with (OTEL_EXPORTER_OTLP_COMPRESSION).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    const WORDS: [(&'static str, Self); 3] =
        [("none", Self::None), ("gzip", Self::Gzip), ("zstd", Self::Zstd)];

    /// As the specification spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Everything about the way of one signal to the Collector.
#[derive(Debug, Clone)]
pub(crate) struct OtlpConfig {
    pub(crate) protocol: Setting<Protocol>,
    /// The whole address: with the signal's path for http.
    pub(crate) endpoint: Setting<Endpoint>,
    pub(crate) headers: Setting<Vec<(String, Sensitive<String>)>>,
    /// Bounds one attempt.
    pub(crate) timeout: Setting<Duration>,
    pub(crate) compression: Setting<Compression>,
    pub(crate) tls: Tls,
}

/// The files of TLS, read and in memory: a file that is missing is an error at the start, not at the first batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tls {
    pub(crate) certificate: Option<Setting<Pem>>,
    pub(crate) client_certificate: Option<Setting<Pem>>,
    pub(crate) client_key: Option<Setting<Pem>>,
}

/// A PEM file.
#[derive(Debug, Clone)]
pub(crate) struct Pem {
    pub(crate) path: PathBuf,
    #[cfg_attr(
        not(all(feature = "otlp-tls", any(feature = "otlp-grpc", feature = "otlp-http"))),
        expect(dead_code, reason = "read by TLS alone")
    )]
    pub(crate) contents: Sensitive<Vec<u8>>,
}

impl OtlpConfig {
    pub(crate) fn read(read: &mut Reader<'_>, signal: Signal) -> Self {
        let own = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.upper());
        let all = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{suffix}");
        let default_protocol = if cfg!(feature = "otlp-grpc") || !cfg!(feature = "otlp-http") {
            Protocol::Grpc
        } else {
            Protocol::HttpProtobuf
        };
        let protocol =
            read.word(&[&own("PROTOCOL"), &all("PROTOCOL")], default_protocol, &Protocol::WORDS);
        let endpoint = endpoint_of(read, signal, *protocol);
        let headers = headers(read, &[&own("HEADERS"), &all("HEADERS")], *protocol);
        let timeout = read.milliseconds(
            &[&own("TIMEOUT"), &all("TIMEOUT")],
            Duration::from_secs(10),
            1,
            crate::config::HOUR,
        );
        let compression = read.word(
            &[&own("COMPRESSION"), &all("COMPRESSION")],
            Compression::None,
            &Compression::WORDS,
        );
        let tls = Tls {
            certificate: pem(read, &[&own("CERTIFICATE"), &all("CERTIFICATE")], "CERTIFICATE"),
            client_certificate: pem(
                read,
                &[&own("CLIENT_CERTIFICATE"), &all("CLIENT_CERTIFICATE")],
                "CERTIFICATE",
            ),
            client_key: pem(read, &[&own("CLIENT_KEY"), &all("CLIENT_KEY")], "PRIVATE KEY"),
        };
        match (&tls.client_certificate, &tls.client_key) {
            (Some(certificate), None) => read.problem(
                &certificate.origin,
                &certificate.path.display().to_string(),
                "its key as well, in OTEL_EXPORTER_OTLP_CLIENT_KEY",
            ),
            (None, Some(key)) => read.problem(
                &key.origin,
                &key.path.display().to_string(),
                "its certificate as well, in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            ),
            _ => {}
        }
        Self { protocol, endpoint, headers, timeout, compression, tls }
    }
}

fn endpoint_of(read: &mut Reader<'_>, signal: Signal, protocol: Protocol) -> Setting<Endpoint> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.upper());
    let insecure = insecure(read, signal);
    let port = if protocol.is_http() { 4318 } else { 4317 };
    let path = format!("/v1/{signal}");
    let default = Endpoint { tls: false, host: "localhost".to_owned(), port, path: "/".to_owned() };
    let found = read.find(&[&own, "OTEL_EXPORTER_OTLP_ENDPOINT"]);
    let (mut endpoint, origin, is_own) = match found {
        None => (default, Origin::Default, false),
        Some((origin, text)) => {
            // The one form without a scheme: `host:port` for grpc, where INSECURE says which scheme is meant.
            let url = match insecure.as_ref() {
                Some(insecure) if !protocol.is_http() && !text.contains("://") => {
                    format!("{}://{text}", if insecure.value { "http" } else { "https" })
                }
                _ => text.clone(),
            };
            let is_own =
                origin == Origin::Environment(own.clone()) || read.overrides.contains_key(&own);
            match endpoint::parse(&url, port) {
                Ok(endpoint) => (endpoint, origin, is_own),
                Err(expected) => {
                    read.problem(&origin, &endpoint::redact(&text), expected);
                    (default, origin, is_own)
                }
            }
        }
    };
    // The specification: a signal's own endpoint is used as it is, the common one is a base.
    if protocol.is_http() && !is_own {
        endpoint = endpoint.join(&path);
    }
    Setting { value: endpoint, origin }
}

fn insecure(read: &mut Reader<'_>, signal: Signal) -> Option<Setting<bool>> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_INSECURE", signal.upper());
    let setting = read.boolean(&[&own, "OTEL_EXPORTER_OTLP_INSECURE"], false);
    setting.origin.is_chosen().then_some(setting)
}

/// `name=value,name=value`, values percent-encoded. What is wrong is said without showing a value.
fn headers(
    read: &mut Reader<'_>,
    names: &[&str],
    protocol: Protocol,
) -> Setting<Vec<(String, Sensitive<String>)>> {
    let Some((origin, text)) = read.find(names) else { return Setting::default(Vec::new()) };
    let form = "`name=value` pairs with commas between them, values percent-encoded";
    let mut list = Vec::new();
    for (at, pair) in
        text.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty())
    {
        let number = at + 1;
        let Some((name, value)) = pair.split_once('=') else {
            read.problem(&origin, sensitive::REDACTED, format!("{form}; pair {number} has no `=`"));
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        // gRPC keeps names that end in `-bin` for bytes.
        let is_binary = !protocol.is_http() && name.ends_with("-bin");
        if name.is_empty() || is_binary || !name.chars().all(token) {
            read.problem(
                &origin,
                sensitive::REDACTED,
                format!("{form}; pair {number} has no valid header name"),
            );
            continue;
        }
        match decode(value.trim())
            .filter(|value| value.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        {
            Some(value) => list.push((name, Sensitive::new(value))),
            None => read.problem(
                &origin,
                &format!("{name}={}", sensitive::REDACTED),
                format!("{form}; the value of `{name}` is not one that a header can carry"),
            ),
        }
    }
    Setting { value: list, origin }
}

fn pem(read: &mut Reader<'_>, names: &[&str], label: &str) -> Option<Setting<Pem>> {
    let (origin, path) = read.find(names)?;
    if !cfg!(feature = "otlp-tls") {
        read.problem(&origin, &path, "hub-otel's feature `tls`");
        return None;
    }
    match std::fs::read(&path) {
        Err(error) => {
            read.problem(&origin, &path, format!("a PEM file that can be read ({error})"));
            None
        }
        Ok(contents) => {
            let text = String::from_utf8_lossy(&contents);
            if !text.contains("-----BEGIN ") || !text.contains(label) {
                read.problem(&origin, &path, format!("a PEM file with a `{label}` in it"));
                return None;
            }
            Some(Setting {
                value: Pem { path: path.into(), contents: Sensitive::new(contents) },
                origin,
            })
        }
    }
}

/// Credentials that everyone on the way could read are an error, unless the host is allowed by name.
pub(crate) fn refuse_open_credentials(read: &mut Reader<'_>, config: &Config, allowed: &[String]) {
    let listed = read
        .find(&["HUB_OTEL_ALLOW_INSECURE_CREDENTIALS"])
        .map(|(_, hosts)| hosts)
        .unwrap_or_default();
    let mut reported: Vec<(Origin, String)> = Vec::new();
    for signal in Signal::ALL.iter().copied().filter(|signal| config.sends(*signal, Exporter::Otlp))
    {
        let otlp = config.otlp(signal);
        let endpoint = &otlp.endpoint.value;
        let is_allowed = listed
            .split(',')
            .map(str::trim)
            .chain(allowed.iter().map(String::as_str))
            .any(|host| host.eq_ignore_ascii_case(&endpoint.host));
        if endpoint.tls || endpoint.is_loopback() || is_allowed {
            continue;
        }
        for (name, _) in otlp.headers.iter().filter(|(name, _)| sensitive::is_secret(name)) {
            let found = (otlp.headers.origin.clone(), name.clone());
            if reported.contains(&found) {
                continue;
            }
            let expected = format!(
                "an endpoint with `https://`, because {endpoint} would carry it unencrypted; or the host `{host}` in HUB_OTEL_ALLOW_INSECURE_CREDENTIALS, or `builder().allow_insecure_credentials(\"{host}\")`",
                host = endpoint.host,
            );
            read.problem(&found.0, &format!("{name}={}", sensitive::REDACTED), expected);
            reported.push(found);
        }
    }
}
