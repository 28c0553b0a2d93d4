//! Hosts by which the server may be requested: protection against DNS rebinding.
//!
//! A page of another site can point a name of its own at loopback. Its requests then have no
//! foreign origin, but they name a host that this server does not have.

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use std::net::IpAddr;
use std::sync::Arc;

/// Permitted host names, in addition to names of loopback and IP addresses. `*` permits all.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(Arc<[String]>);

impl AllowedHosts {
    /// Creates a list of names. Case is ignored.
    pub fn new(names: &[String]) -> Self {
        Self(names.into())
    }

    /// Returns whether each host that a request names is permitted. A request without a host is not
    /// a browser's.
    pub fn permit(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let permitted = |host: &Authority| self.permits_name(host.host());
        uri.authority().is_none_or(permitted)
            && headers
                .get_all(HOST)
                .iter()
                .all(|host| Authority::try_from(host.as_bytes()).is_ok_and(|host| permitted(&host)))
    }

    fn permits_name(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
            || self.0.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(&host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(names: &[&str], uri: &'static str, hosts: &[&str]) -> bool {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        AllowedHosts::new(&names).permit(&Uri::from_static(uri), &headers)
    }

    #[test]
    fn names_of_loopback_addresses_and_listed_names_are_permitted() {
        for host in
            ["localhost:9002", "LOCALHOST.", "127.0.0.1:1", "[::1]:9002", "10.0.0.7", "a.localhost"]
        {
            assert!(permits(&[], "/", &[host]), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example:9002", "127.0.0.1.evil.example", "", "a b"]
        {
            assert!(!permits(&["orchestrator"], "/", &[host]), "{host}");
        }
        assert!(permits(&["orchestrator"], "/", &["Orchestrator:9002"]));
        assert!(permits(&["*"], "/", &["any.example"]));
        assert!(permits(&[], "/", &[]));
    }

    #[test]
    fn every_host_of_a_request_must_be_permitted() {
        assert!(!permits(&[], "/", &["localhost", "evil.example"]));
        assert!(!permits(&[], "http://evil.example/", &["localhost"]));
        assert!(permits(&[], "http://localhost:9002/", &["localhost:9002"]));
    }
}
