//! The OTLP endpoint: a parsed and validated URL.

use std::fmt;

/// The parts of `http://host:port/path`. User and password are rejected: credentials belong into a
/// header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    /// An IPv6 address has no brackets here.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Begins with `/`. As given: a trailing slash is kept.
    pub(crate) path: String,
}

/// Parses an endpoint. The error is the expected form.
pub(crate) fn parse(url: &str, default_port: u16) -> Result<Endpoint, String> {
    let example = format!("a URL, e.g. `http://localhost:{default_port}`");
    let (scheme, remainder) = url.split_once("://").ok_or_else(|| example.clone())?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => {
            return Err(format!(
                "a URL that begins with `http://` or `https://`, e.g. `http://localhost:{default_port}`"
            ));
        }
    };
    if remainder.contains(['?', '#'])
        || remainder.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Err(format!("{example}, without query, fragment or space"));
    }
    let (authority, path) = match remainder.find('/') {
        Some(index) => remainder.split_at(index),
        None => (remainder, "/"),
    };
    if authority.contains('@') {
        return Err(
            "a URL without user and password; they go into OTEL_EXPORTER_OTLP_HEADERS, as \
                    `authorization=Basic …`"
                .to_owned(),
        );
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(ipv6) => {
            let (host, after) = ipv6.split_once(']').ok_or_else(|| example.clone())?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| example.clone())?;
            (
                host,
                after
                    .strip_prefix(':')
                    .or_else(|| after.is_empty().then_some(""))
                    .ok_or_else(|| example.clone())?,
            )
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let valid_name =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':') || !c.is_ascii();
    if host.is_empty() || !host.chars().all(valid_name) {
        return Err(example);
    }
    let port = if port.is_empty() {
        if authority.ends_with(':') {
            return Err(format!("{example}, with a port after the colon"));
        }
        // The scheme's default port, as in any URL.
        if tls { 443 } else { 80 }
    } else {
        port.parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("{example}, with a port from 1 to 65535"))?
    };
    Ok(Endpoint { tls, host: host.to_owned(), port, path: path.to_owned() })
}

/// Redacts user and password of an invalid endpoint.
pub(crate) fn redact_credentials(url: &str) -> String {
    let Some(at_sign) = url.rfind('@') else { return url.to_owned() };
    let start = url.find("://").map_or(0, |scheme| scheme + 3).min(at_sign);
    format!("{}[REDACTED]{}", &url[..start], &url[at_sign..])
}

impl Endpoint {
    /// Returns whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.to_ascii_lowercase().ends_with(".localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Returns `host:port` as in a URL.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Returns the endpoint with `suffix` below its path.
    pub(crate) fn join(&self, suffix: &str) -> Self {
        let separator = if self.path.ends_with('/') { "" } else { "/" };
        Self { path: format!("{}{separator}{suffix}", self.path), ..self.clone() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let path = if self.path == "/" { "" } else { &self.path };
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}
