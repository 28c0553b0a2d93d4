//! Settings of the live view: OTEL_HUB_LIVE and its companions.

use crate::config::reader::{Invalid, Setting, SettingsReader};
use crate::telemetry::redaction::{REDACTED, Sensitive};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The value of OTEL_HUB_LIVE for an application that serves the router itself.
const EMBEDDED: &str = "embedded";
const OFF: &str = "off";
/// The fewest characters of a token. Shorter ones can be guessed.
const MIN_TOKEN: usize = 16;

/// The way the live view is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LiveMode {
    /// Nothing is collected.
    Off,
    /// Collected, and served by the application's own router.
    Embedded,
    /// Collected, and served by a listener of its own.
    Listener(SocketAddr),
}

impl fmt::Display for LiveMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str(OFF),
            Self::Embedded => f.write_str(EMBEDDED),
            Self::Listener(address) => address.fmt(f),
        }
    }
}

/// Settings of the live view.
#[derive(Debug, Clone)]
pub(crate) struct LiveConfig {
    pub(crate) mode: Setting<LiveMode>,
    /// Accepted tokens. Empty: one random token per start.
    pub(crate) tokens: Setting<Vec<Sensitive<String>>>,
    /// Further host names. `None`: names of loopback and IP addresses only.
    pub(crate) hosts: Setting<Option<Vec<String>>>,
    /// URL of a trace in another tool, with `{trace_id}`.
    pub(crate) trace_url: Setting<Option<String>>,
    /// Serves without a token.
    #[cfg_attr(not(feature = "live"), expect(dead_code, reason = "read by the live view"))]
    pub(crate) is_open: Setting<bool>,
}

impl LiveConfig {
    pub(crate) fn read(reader: &mut SettingsReader<'_>) -> Self {
        Self {
            mode: reader.require(&["OTEL_HUB_LIVE"], LiveMode::Off, parse_mode),
            tokens: read_tokens(reader),
            hosts: reader.read(&["OTEL_HUB_LIVE_HOSTS"], None, |names| Ok(Some(split(names)))),
            trace_url: reader.read(&["OTEL_HUB_LIVE_TRACE_URL"], None, |url| {
                let is_url = url.starts_with("http://") || url.starts_with("https://");
                if is_url && url.contains("{trace_id}") {
                    return Ok(Some(url.to_owned()));
                }
                Err(Invalid::Unsupported(
                    "a URL with `{trace_id}`, e.g. `http://localhost:16686/trace/{trace_id}`"
                        .to_owned(),
                ))
            }),
            is_open: reader.boolean(&["builder:live_without_token"], false),
        }
    }

    /// Reports a listener beyond loopback without a token, and a missing feature.
    pub(crate) fn check(&self, reader: &mut SettingsReader<'_>) {
        if *self.mode == LiveMode::Off {
            return;
        }
        let value = self.mode.to_string();
        if !cfg!(feature = "live") {
            reader.problem(&self.mode.origin, &value, "`off`, or hub-otel's feature `live`");
            return;
        }
        let LiveMode::Listener(address) = *self.mode else { return };
        if self.tokens.iter().any(|token| token.expose().len() < MIN_TOKEN) {
            let expected = format!("tokens of at least {MIN_TOKEN} characters each");
            reader.problem(&self.tokens.origin, REDACTED, expected);
        }
        if !is_loopback(address.ip()) && self.tokens.is_empty() {
            let expected = "an address of loopback, e.g. `127.0.0.1:9465`, or a token for this \
                            one: set OTEL_HUB_LIVE_TOKEN or builder().live_token(…)";
            reader.problem(&self.mode.origin, &value, expected);
        }
    }
}

/// Reads the tokens. Problems never contain one.
fn read_tokens(reader: &mut SettingsReader<'_>) -> Setting<Vec<Sensitive<String>>> {
    let Some((origin, list)) = reader.find(&["OTEL_HUB_LIVE_TOKEN"]) else {
        return Setting::default(Vec::new());
    };
    Setting { value: split(&list).into_iter().map(Sensitive::new).collect(), origin }
}

fn split(list: &str) -> Vec<String> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(str::to_owned).collect()
}

/// Returns whether an address is reachable from this machine only.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn parse_mode(text: &str) -> Result<LiveMode, String> {
    if text.eq_ignore_ascii_case(OFF) {
        return Ok(LiveMode::Off);
    }
    if text.eq_ignore_ascii_case(EMBEDDED) {
        return Ok(LiveMode::Embedded);
    }
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map(LiveMode::Listener).map_err(|_| {
        format!("an IP address and a port, e.g. `127.0.0.1:9465`, `{EMBEDDED}` or `{OFF}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_an_address_or_a_word() {
        assert_eq!(parse_mode("OFF"), Ok(LiveMode::Off));
        assert_eq!(parse_mode("embedded"), Ok(LiveMode::Embedded));
        let address = "127.0.0.1:9465".parse().map(LiveMode::Listener).unwrap();
        assert_eq!(parse_mode("127.0.0.1:9465"), Ok(address));
        assert_eq!(parse_mode("localhost:9465"), Ok(address));
        assert!(parse_mode("9465").is_err());
        assert!(parse_mode("example.com:9465").is_err());
    }

    #[test]
    fn loopback_includes_its_mapped_form() {
        let is = |text: &str| is_loopback(text.parse().unwrap());
        assert!(is("127.0.0.1") && is("::1") && is("::ffff:127.0.0.1"));
        assert!(!is("0.0.0.0") && !is("10.0.0.1"));
    }
}
