//! The OTLP settings: OTEL_EXPORTER_OTLP_*, for all signals and per signal.

use crate::config::endpoint::Endpoint;
use crate::config::reader::{Origin, Setting, SettingsReader};
use crate::config::resource::percent_decode;
use crate::config::signal::{Exporter, Signal};
use crate::config::{Config, HOUR_MS, endpoint};
use crate::telemetry::redaction::{REDACTED, Sensitive, is_secret};
use std::path::PathBuf;
use std::time::Duration;

/// The OTLP protocol (OTEL_EXPORTER_OTLP_PROTOCOL).
///
/// Non-exhaustive: OTLP may add protocols.
///
/// ```
/// use hub_otel::Protocol;
///
/// assert_eq!(Protocol::HttpProtobuf.as_str(), "http/protobuf");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// `grpc`. Default port: 4317. Requires the feature `otlp-grpc`.
    Grpc,
    /// `http/protobuf`. Default port: 4318. Requires the feature `otlp-http`.
    HttpProtobuf,
    /// `http/json`. Default port: 4318. Requires the feature `otlp-http`.
    HttpJson,
}

impl Protocol {
    const CHOICES: [(&'static str, Self); 3] = [
        ("grpc", Self::Grpc),
        ("http/protobuf", Self::HttpProtobuf),
        ("http/json", Self::HttpJson),
    ];

    /// Returns the value of the environment variable.
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

/// The compression of OTLP requests (OTEL_EXPORTER_OTLP_COMPRESSION).
///
/// Non-exhaustive: OTLP may add encodings.
///
/// ```
/// use hub_otel::Compression;
///
/// assert_eq!(Compression::Gzip.as_str(), "gzip");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// No compression.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    const CHOICES: [(&'static str, Self); 3] =
        [("none", Self::None), ("gzip", Self::Gzip), ("zstd", Self::Zstd)];

    /// Returns the value of the environment variable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The OTLP settings of one signal.
#[derive(Debug, Clone)]
pub(crate) struct OtlpConfig {
    pub(crate) protocol: Setting<Protocol>,
    /// The complete URL, with the signal's path for HTTP.
    pub(crate) endpoint: Setting<Endpoint>,
    pub(crate) headers: Setting<Vec<(String, Sensitive<String>)>>,
    /// The timeout of one attempt.
    pub(crate) timeout: Setting<Duration>,
    pub(crate) compression: Setting<Compression>,
    pub(crate) tls: TlsConfig,
}

/// The TLS files, read at the start: a missing file is reported before the first export.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsConfig {
    pub(crate) certificate: Option<Setting<PemFile>>,
    pub(crate) client_certificate: Option<Setting<PemFile>>,
    pub(crate) client_key: Option<Setting<PemFile>>,
}

/// A PEM file with its contents.
#[derive(Debug, Clone)]
pub(crate) struct PemFile {
    pub(crate) path: PathBuf,
    #[cfg_attr(
        not(all(feature = "otlp-tls", any(feature = "otlp-grpc", feature = "otlp-http"))),
        expect(dead_code, reason = "only read by TLS")
    )]
    pub(crate) contents: Sensitive<Vec<u8>>,
}

impl OtlpConfig {
    pub(crate) fn read(reader: &mut SettingsReader<'_>, signal: Signal) -> Self {
        let per_signal = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.upper());
        let common = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{suffix}");
        let default_protocol = if cfg!(feature = "otlp-grpc") || !cfg!(feature = "otlp-http") {
            Protocol::Grpc
        } else {
            Protocol::HttpProtobuf
        };
        let protocol = reader.one_of(
            &[&per_signal("PROTOCOL"), &common("PROTOCOL")],
            default_protocol,
            &Protocol::CHOICES,
        );
        let endpoint = read_endpoint(reader, signal, *protocol);
        let headers =
            read_headers(reader, &[&per_signal("HEADERS"), &common("HEADERS")], *protocol);
        let timeout = reader.milliseconds(
            &[&per_signal("TIMEOUT"), &common("TIMEOUT")],
            Duration::from_secs(10),
            1,
            HOUR_MS,
        );
        let compression = reader.one_of(
            &[&per_signal("COMPRESSION"), &common("COMPRESSION")],
            Compression::None,
            &Compression::CHOICES,
        );
        let tls = TlsConfig {
            certificate: read_pem(
                reader,
                &[&per_signal("CERTIFICATE"), &common("CERTIFICATE")],
                "CERTIFICATE",
            ),
            client_certificate: read_pem(
                reader,
                &[&per_signal("CLIENT_CERTIFICATE"), &common("CLIENT_CERTIFICATE")],
                "CERTIFICATE",
            ),
            client_key: read_pem(
                reader,
                &[&per_signal("CLIENT_KEY"), &common("CLIENT_KEY")],
                "PRIVATE KEY",
            ),
        };
        match (&tls.client_certificate, &tls.client_key) {
            (Some(certificate), None) => reader.problem(
                &certificate.origin,
                &certificate.path.display().to_string(),
                "its key as well, in OTEL_EXPORTER_OTLP_CLIENT_KEY",
            ),
            (None, Some(key)) => reader.problem(
                &key.origin,
                &key.path.display().to_string(),
                "its certificate as well, in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            ),
            _ => {}
        }
        Self { protocol, endpoint, headers, timeout, compression, tls }
    }
}

/// Reads the endpoint of one signal.
fn read_endpoint(
    reader: &mut SettingsReader<'_>,
    signal: Signal,
    protocol: Protocol,
) -> Setting<Endpoint> {
    let per_signal = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.upper());
    let insecure = read_insecure(reader, signal);
    let port = if protocol.is_http() { 4318 } else { 4317 };
    let path = format!("/v1/{signal}");
    let default = Endpoint { tls: false, host: "localhost".to_owned(), port, path: "/".to_owned() };
    let value = reader.find(&[&per_signal, "OTEL_EXPORTER_OTLP_ENDPOINT"]);
    let (mut endpoint, origin, is_per_signal) = match value {
        None => (default, Origin::Default, false),
        Some((origin, value)) => {
            // `host:port` without a scheme is allowed for gRPC if INSECURE selects the scheme.
            let url = match insecure.as_ref() {
                Some(insecure) if !protocol.is_http() && !value.contains("://") => {
                    format!("{}://{value}", if insecure.value { "http" } else { "https" })
                }
                _ => value.clone(),
            };
            let is_per_signal = origin == Origin::Environment(per_signal.clone())
                || reader.overrides.contains_key(&per_signal);
            match endpoint::parse(&url, port) {
                Ok(endpoint) => (endpoint, origin, is_per_signal),
                Err(expected) => {
                    reader.problem(&origin, &endpoint::redact_credentials(&value), expected);
                    (default, origin, is_per_signal)
                }
            }
        }
    };
    // The common endpoint is a base URL, the endpoint of one signal is used unchanged (OTLP
    // exporter specification, "Endpoint URLs for OTLP/HTTP").
    if protocol.is_http() && !is_per_signal {
        endpoint = endpoint.join(&path);
    }
    Setting { value: endpoint, origin }
}

/// Reads OTEL_EXPORTER_OTLP_INSECURE. `None` if it is unset.
fn read_insecure(reader: &mut SettingsReader<'_>, signal: Signal) -> Option<Setting<bool>> {
    let per_signal = format!("OTEL_EXPORTER_OTLP_{}_INSECURE", signal.upper());
    let setting = reader.boolean(&[&per_signal, "OTEL_EXPORTER_OTLP_INSECURE"], false);
    setting.origin.is_chosen().then_some(setting)
}

/// Reads `name=value,name=value`, values percent-encoded. Problems never contain a value.
fn read_headers(
    reader: &mut SettingsReader<'_>,
    names: &[&str],
    protocol: Protocol,
) -> Setting<Vec<(String, Sensitive<String>)>> {
    let Some((origin, list)) = reader.find(names) else { return Setting::default(Vec::new()) };
    let form = "`name=value` pairs with commas between them, values percent-encoded";
    let mut headers = Vec::new();
    for (index, pair) in
        list.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty())
    {
        let number = index + 1;
        let Some((name, value)) = pair.split_once('=') else {
            reader.problem(&origin, REDACTED, format!("{form}; pair {number} has no `=`"));
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        // gRPC reserves names with the suffix `-bin` for binary values.
        let is_binary = !protocol.is_http() && name.ends_with("-bin");
        if name.is_empty() || is_binary || !name.chars().all(is_token) {
            reader.problem(
                &origin,
                REDACTED,
                format!("{form}; pair {number} has no valid header name"),
            );
            continue;
        }
        match percent_decode(value.trim())
            .filter(|value| value.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        {
            Some(value) => headers.push((name, Sensitive::new(value))),
            None => reader.problem(
                &origin,
                &format!("{name}={}", REDACTED),
                format!("{form}; the value of `{name}` is not one that a header can carry"),
            ),
        }
    }
    Setting { value: headers, origin }
}

/// Reads a PEM file that contains a `label` section.
fn read_pem(
    reader: &mut SettingsReader<'_>,
    names: &[&str],
    label: &str,
) -> Option<Setting<PemFile>> {
    let (origin, path) = reader.find(names)?;
    if !cfg!(feature = "otlp-tls") {
        reader.problem(&origin, &path, "hub-otel's feature `otlp-tls`");
        return None;
    }
    match std::fs::read(&path) {
        Err(error) => {
            reader.problem(&origin, &path, format!("a PEM file that can be read ({error})"));
            None
        }
        Ok(contents) => {
            let text = String::from_utf8_lossy(&contents);
            if !text.contains("-----BEGIN ") || !text.contains(label) {
                reader.problem(&origin, &path, format!("a PEM file with a `{label}` in it"));
                return None;
            }
            Some(Setting {
                value: PemFile { path: path.into(), contents: Sensitive::new(contents) },
                origin,
            })
        }
    }
}

/// Reports credentials that would be sent unencrypted, unless the host is allowed.
pub(crate) fn reject_insecure_credentials(
    reader: &mut SettingsReader<'_>,
    config: &Config,
    allowed_hosts: &[String],
) {
    let allowed_list = reader
        .find(&["HUB_OTEL_ALLOW_INSECURE_CREDENTIALS"])
        .map(|(_, hosts)| hosts)
        .unwrap_or_default();
    let mut reported: Vec<(Origin, String)> = Vec::new();
    for signal in
        Signal::ALL.iter().copied().filter(|signal| config.exports(*signal, Exporter::Otlp))
    {
        let otlp = config.otlp(signal);
        let endpoint = &otlp.endpoint.value;
        let is_allowed = allowed_list
            .split(',')
            .map(str::trim)
            .chain(allowed_hosts.iter().map(String::as_str))
            .any(|host| host.eq_ignore_ascii_case(&endpoint.host));
        if endpoint.tls || endpoint.is_loopback() || is_allowed {
            continue;
        }
        for (name, _) in otlp.headers.iter().filter(|(name, _)| is_secret(name)) {
            let header = (otlp.headers.origin.clone(), name.clone());
            if reported.contains(&header) {
                continue;
            }
            let expected = format!(
                "an endpoint with `https://`, because {endpoint} would carry it unencrypted; or the host \
                 `{host}` in HUB_OTEL_ALLOW_INSECURE_CREDENTIALS, or \
                 `builder().allow_insecure_credentials(\"{host}\")`",
                host = endpoint.host,
            );
            reader.problem(&header.0, &format!("{name}={}", REDACTED), expected);
            reported.push(header);
        }
    }
}
