//! Where OTLP goes: a URL, checked as far as it can be without dialling.

use std::fmt;

/// `http://host:port/path`, taken apart. It never holds user or password: those belong into a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Begins with `/`; without a slash at its end, unless it is all there is.
    pub(crate) path: String,
}

/// Why it is no endpoint: what was expected instead.
pub(crate) fn parse(text: &str, default_port: u16) -> Result<Endpoint, String> {
    let example = format!("a URL, e.g. `http://localhost:{default_port}`");
    let (scheme, rest) = text.split_once("://").ok_or_else(|| example.clone())?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => {
            return Err(format!(
                "a URL that begins with `http://` or `https://`, e.g. `http://localhost:{default_port}`"
            ));
        }
    };
    if rest.contains(['?', '#']) || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("{example}, without query, fragment or space"));
    }
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    if authority.contains('@') {
        return Err("a URL without user and password; they go into OTEL_EXPORTER_OTLP_HEADERS, as `authorization=Basic …`".to_owned());
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(six) => {
            let (host, after) = six.split_once(']').ok_or_else(|| example.clone())?;
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
        // As in any URL: a port that is left out is the scheme's.
        if tls { 443 } else { 80 }
    } else {
        port.parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("{example}, with a port from 1 to 65535"))?
    };
    let trimmed = path.trim_end_matches('/');
    Ok(Endpoint {
        tls,
        host: host.to_owned(),
        port,
        path: if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() },
    })
}

/// The text of an endpoint as it may be shown: what stands before an `@` is somebody's password.
pub(crate) fn redact(text: &str) -> String {
    let Some(at) = text.rfind('@') else { return text.to_owned() };
    let start = text.find("://").map_or(0, |scheme| scheme + 3).min(at);
    format!("{}[REDACTED]{}", &text[..start], &text[at..])
}

impl Endpoint {
    /// Whether what is sent stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.to_ascii_lowercase().ends_with(".localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// `host:port`, as it stands in a URL.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The endpoint with `suffix` behind its path.
    pub(crate) fn join(&self, suffix: &str) -> Self {
        let path =
            if self.path == "/" { suffix.to_owned() } else { format!("{}{suffix}", self.path) };
        Self { path, ..self.clone() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let path = if self.path == "/" { "" } else { &self.path };
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}
