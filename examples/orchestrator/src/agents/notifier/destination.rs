//! Destinations of messages: allow-listed hosts at public addresses, by HTTPS, without redirects
//! (protection against SSRF).
//!
//! The URL of a webhook is a secret and part of the configuration; a run can name a channel, never
//! a URL. The address is checked when the connection is made, because a name can resolve to another
//! address later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::security::Secret;
use secrecy::ExposeSecret as _;

/// The hosts of Slack's and Discord's webhooks.
const HOSTS: [&str; 6] = [
    "hooks.slack.com",
    "hooks.slack-gov.com",
    "discord.com",
    "discordapp.com",
    "ptb.discord.com",
    "canary.discord.com",
];

/// Permitted destinations.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Hosts in addition to those of Slack and Discord, as `host` or `host:port`.
    pub hosts: Vec<String>,
    /// Permits private addresses and plain HTTP for `hosts`, for a relay in the local network.
    pub private: bool,
}

/// A configured URL that is not allowed. Does not contain its path, which is the secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadDestination(String);

impl Allowed {
    /// Checks a configured URL.
    ///
    /// # Errors
    /// [`BadDestination`].
    pub fn check(&self, name: &'static str, url: &Secret) -> Result<Url, BadDestination> {
        let bad = |reason: String| BadDestination(format!("{name} {reason}"));
        let not_a_url =
            || bad("is not a URL; expected e.g. `https://hooks.slack.com/services/…`".to_owned());
        let url = Url::parse(url.expose_secret()).map_err(|_| not_a_url())?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(not_a_url());
        };
        let name = host.to_string().to_ascii_lowercase();
        let listed = self.lists(&name, Some(port));
        if !listed && !HOSTS.contains(&name.as_str()) {
            return Err(bad(format!(
                "has the host `{name}`, which is not allow-listed; allow it with --notify-allow-host {name}"
            )));
        }
        let relaxed = self.private && listed && !HOSTS.contains(&name.as_str());
        if url.scheme() != "https" && !(relaxed && url.scheme() == "http") {
            let rule = "plain HTTP requires an allow-listed host and --notify-allow-private";
            return Err(bad(format!("is not https; {rule}")));
        }
        let address = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        match address.filter(|address| !relaxed && !is_public(*address)) {
            Some(address) => Err(bad(format!(
                "has the private address {address}; --notify-allow-private permits private addresses of allow-listed hosts"
            ))),
            None => Ok(url),
        }
    }
}

impl Allowed {
    /// Returns whether a host is in addition to those of Slack and Discord, on this or any port.
    fn lists(&self, name: &str, port: Option<u16>) -> bool {
        self.hosts.iter().any(|allowed| {
            let (host, own) = match allowed.rsplit_once(':') {
                Some((host, own)) if !allowed.ends_with(']') => (host, own.parse().ok()),
                _ => (allowed.as_str(), None),
            };
            host.eq_ignore_ascii_case(name) && (own.is_none() || port.is_none() || own == port)
        })
    }
}

/// DNS resolver that returns public addresses only, except for relays that may be private. The
/// hosts of Slack and Discord always have public addresses.
#[derive(Debug, Clone)]
pub struct PublicOnly {
    relays: Allowed,
}

impl PublicOnly {
    /// Creates a resolver for the permitted destinations.
    pub fn new(allowed: &Allowed) -> Self {
        Self { relays: allowed.clone() }
    }

    fn may_be_private(&self, name: &str) -> bool {
        self.relays.private && self.relays.lists(name, None) && !HOSTS.contains(&name)
    }
}

/// A name without a public address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` resolves to no public address")]
pub struct NotPublic(String);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let any = self.may_be_private(&host);
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let public: Vec<SocketAddr> =
                found.filter(|address| any || is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic(host).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Returns whether an address is public.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        // Shared address space (RFC 6598), protocol assignments, benchmarks, reserved.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        // Relays of 6to4 (RFC 7526).
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // An IPv4-mapped address reaches the IPv4 host.
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let segments = address.segments();
    let special = address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        // Unique local, link local, site local (RFC 3879), documentation (RFC 3849, RFC 9637),
        // IPv4-compatible and IPv4-translated (RFC 2765), NAT64, 6to4, Teredo, discard only.
        || segments[0] & 0xfe00 == 0xfc00
        || segments[0] & 0xffc0 == 0xfe80
        || segments[0] & 0xffc0 == 0xfec0
        || (segments[0] == 0x3fff && segments[1] & 0xf000 == 0)
        || segments[..6] == [0, 0, 0, 0, 0xffff, 0]
        || segments[..4] == [0x0100, 0, 0, 0]
        || (segments[0] == 0x2001 && segments[1] == 0x0db8)
        || segments[..6] == [0; 6]
        || (segments[0] == 0x0064 && segments[1] == 0xff9b)
        || segments[0] == 0x2002
        || (segments[0] == 0x2001 && segments[1] == 0);
    !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &Allowed, url: &str) -> String {
        match allowed.check("SLACK_WEBHOOK_URL", &Secret::from(url)) {
            Ok(url) => format!("goes to {}", url.host_str().unwrap_or_default()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_allow_listed_hosts_at_public_addresses_by_https_are_accepted() {
        let strict =
            Allowed { hosts: vec!["10.0.0.7".into(), "chat.example.org".into()], private: false };
        assert_eq!(
            check(&strict, "https://hooks.slack.com/services/T/B/x"),
            "goes to hooks.slack.com"
        );
        assert_eq!(check(&strict, "https://chat.example.org/x"), "goes to chat.example.org");
        for (url, part) in [
            ("http://hooks.slack.com/x", "not https"),
            ("https://evil.example/x", "not allow-listed"),
            ("https://hooks.slack.com.evil.example/x", "not allow-listed"),
            ("https://hooks.slack.com@evil.example/x", "not allow-listed"),
            ("https://10.0.0.7/x", "private address"),
            ("file:///etc/passwd", "not a URL"),
            ("nonsense", "not a URL"),
        ] {
            let result = check(&strict, url);
            assert!(result.contains(part), "{url}: {result}");
        }
    }

    #[test]
    fn a_private_relay_requires_an_allow_listed_host_and_port() {
        let relaxed = Allowed { hosts: vec!["127.0.0.1:8065".into()], private: true };
        assert_eq!(check(&relaxed, "http://127.0.0.1:8065/hooks/x"), "goes to 127.0.0.1");
        assert!(check(&relaxed, "http://127.0.0.1:9999/x").contains("not allow-listed"));
        assert!(check(&relaxed, "http://discord.com/x").contains("not https"));
    }

    #[test]
    fn a_private_relay_does_not_make_slack_and_discord_private() {
        let hosts = ["relay.internal", "hooks.slack.com", "other:8065"].map(String::from).to_vec();
        let resolver = PublicOnly::new(&Allowed { hosts: hosts.clone(), private: true });
        assert!(resolver.may_be_private("relay.internal") && resolver.may_be_private("other"));
        for host in ["hooks.slack.com", "discord.com", "else.internal"] {
            assert!(!resolver.may_be_private(host), "{host}");
        }
        let relaxed = Allowed { hosts, private: true };
        assert!(check(&relaxed, "http://hooks.slack.com/x").contains("not https"));
        assert!(!PublicOnly::new(&Allowed { private: false, ..relaxed }).may_be_private("other"));
    }

    #[test]
    fn addresses_of_private_networks_are_not_public_in_any_spelling() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "192.88.99.1",
            "fec0::1",
            "feff::1",
            "3fff::1",
            "3fff:fff::1",
            "100::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:192.88.99.1",
            "::ffff:0:127.0.0.1",
            "::ffff:0:a9fe:a9fe",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in
            ["1.1.1.1", "8.8.8.8", "192.88.98.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
