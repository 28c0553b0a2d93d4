//! The OTLP settings: OTEL_EXPORTER_OTLP_*, for all signals and per signal.

use crate::config::endpoint::Endpoint;
use crate::config::headers::read_headers;
use crate::config::reader::{Invalid, Origin, Setting, SettingsReader, parse_one_of};
use crate::config::signal::Signal;
use crate::config::{HOUR_MS, endpoint};
use crate::telemetry::redaction::Sensitive;
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

    /// Returns an error with the expected form if the protocol is not compiled in.
    pub(crate) fn check_compiled(self) -> Result<(), String> {
        let (feature, is_compiled) = if self.is_http() {
            ("otlp-http", cfg!(feature = "otlp-http"))
        } else {
            ("otlp-grpc", cfg!(feature = "otlp-grpc"))
        };
        if is_compiled {
            return Ok(());
        }
        Err(format!("a protocol that is compiled in: enable hub-otel's feature `{feature}`"))
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

#[cfg(all(feature = "otlp-tls", any(feature = "otlp-grpc", feature = "otlp-http")))]
impl TlsConfig {
    /// Reads the files again. Returns `None` if none of them changed.
    ///
    /// # Errors
    /// A file cannot be read.
    fn reread(&self) -> Result<Option<Self>, String> {
        let mut changed = self.clone();
        let mut is_changed = false;
        let files =
            [&mut changed.certificate, &mut changed.client_certificate, &mut changed.client_key];
        for file in files.into_iter().flatten().map(|setting| &mut setting.value) {
            let contents = std::fs::read(&file.path)
                .map_err(|error| format!("{} cannot be read: {error}", file.path.display()))?;
            if contents != *file.contents.expose() {
                file.contents = Sensitive::new(contents);
                is_changed = true;
            }
        }
        Ok(is_changed.then_some(changed))
    }
}

impl OtlpConfig {
    /// Returns the settings with the certificate files as they are now. `None` if none of them
    /// changed, or TLS is not used.
    ///
    /// # Errors
    /// A file cannot be read.
    #[cfg(all(feature = "otlp-tls", any(feature = "otlp-grpc", feature = "otlp-http")))]
    pub(crate) fn with_changed_certificates(&self) -> Result<Option<Self>, String> {
        if !self.endpoint.tls {
            return Ok(None);
        }
        Ok(self.tls.reread()?.map(|tls| Self { tls, ..self.clone() }))
    }

    pub(crate) fn read(reader: &mut SettingsReader<'_>, signal: Signal) -> Self {
        let per_signal = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.upper());
        let common = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{suffix}");
        let default_protocol = if cfg!(feature = "otlp-grpc") || !cfg!(feature = "otlp-http") {
            Protocol::Grpc
        } else {
            Protocol::HttpProtobuf
        };
        let protocol = reader.read(
            &[&per_signal("PROTOCOL"), &common("PROTOCOL")],
            default_protocol,
            |value| {
                let protocol =
                    parse_one_of(value, &Protocol::CHOICES).map_err(Invalid::Unsupported)?;
                protocol.check_compiled().map_err(Invalid::Unsupported).map(|()| protocol)
            },
        );
        let endpoint = read_endpoint(reader, signal, *protocol);
        let headers =
            read_headers(reader, &[&per_signal("HEADERS"), &common("HEADERS")], protocol.is_http());
        let timeout = reader.timeout(
            &[&per_signal("TIMEOUT"), &common("TIMEOUT")],
            Duration::from_secs(10),
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
    let common_port = common_port(reader);
    let path = format!("v1/{signal}");
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
            // Shared by the signals: the example has the port of the common protocol.
            let example_port = if is_per_signal { port } else { common_port };
            match endpoint::parse(&url, example_port) {
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

/// Returns the default port of the protocol of all signals.
fn common_port(reader: &mut SettingsReader<'_>) -> u16 {
    let is_http = match reader.find(&["OTEL_EXPORTER_OTLP_PROTOCOL"]) {
        Some((_, protocol)) => protocol.trim().to_ascii_lowercase().starts_with("http"),
        None => !cfg!(feature = "otlp-grpc") && cfg!(feature = "otlp-http"),
    };
    if is_http { 4318 } else { 4317 }
}

/// Reads OTEL_EXPORTER_OTLP_INSECURE. `None` if it is unset.
fn read_insecure(reader: &mut SettingsReader<'_>, signal: Signal) -> Option<Setting<bool>> {
    let per_signal = format!("OTEL_EXPORTER_OTLP_{}_INSECURE", signal.upper());
    let setting = reader.boolean(&[&per_signal, "OTEL_EXPORTER_OTLP_INSECURE"], false);
    setting.origin.is_chosen().then_some(setting)
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
