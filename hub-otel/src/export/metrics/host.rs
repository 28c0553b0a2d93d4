//! Hosts by which `/metrics` may be requested: protection against DNS rebinding, by which a page of
//! another site reads a server on loopback under a name of its own.

use http_types::Request;
use http_types::header::HOST;
use http_types::uri::Authority;
use std::net::IpAddr;
use std::net::SocketAddr;

/// Permitted hosts, in addition to names of loopback and IP addresses. `None`: any host.
#[derive(Debug, Clone)]
pub(crate) struct MetricsHosts(Option<Vec<String>>);

impl MetricsHosts {
    /// Creates the list for a listener. Without a setting, the list is empty on loopback, and
    /// elsewhere any host is permitted.
    pub(crate) fn new(names: Option<Vec<String>>, listener: Option<SocketAddr>) -> Self {
        let on_loopback = listener.is_some_and(|it| it.ip().to_canonical().is_loopback());
        Self(names.or_else(|| on_loopback.then(Vec::new)))
    }

    /// Returns whether each host that the request names is permitted. A request without a host is
    /// not a browser's.
    pub(crate) fn permits<B>(&self, request: &Request<B>) -> bool {
        let Some(names) = &self.0 else { return true };
        let target = request.uri().authority().cloned();
        let headers = request.headers().get_all(HOST).iter();
        let permitted = |host: &Authority| is_permitted(host.host(), names);
        target.iter().all(permitted)
            && headers
                .into_iter()
                .all(|host| Authority::try_from(host.as_bytes()).is_ok_and(|host| permitted(&host)))
    }
}

fn is_permitted(host: &str, names: &[String]) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || names.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(names: Option<&[&str]>, listener: &str, host: &str) -> bool {
        let names = names.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let request = Request::get("/metrics").header(HOST, host).body(()).unwrap();
        MetricsHosts::new(names, listener.parse().ok()).permits(&request)
    }

    #[test]
    fn on_loopback_only_names_of_loopback_and_addresses_are_permitted() {
        for host in [
            "localhost:9464",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1:9464",
            "[::1]:9464",
            "10.0.0.7",
            "prometheus.localhost",
        ] {
            assert!(permits(None, "127.0.0.1:9464", host), "{host}");
        }
        for host in
            ["evil.example:9464", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"]
        {
            assert!(!permits(None, "127.0.0.1:9464", host), "{host}");
            assert!(!permits(None, "[::1]:9464", host), "{host}");
        }
    }

    #[test]
    fn a_list_applies_to_every_address_and_without_one_other_addresses_are_open() {
        assert!(permits(None, "0.0.0.0:9464", "orchestrator:9464"));
        let names = Some(&["orchestrator"][..]);
        assert!(permits(names, "0.0.0.0:9464", "Orchestrator:9464"));
        assert!(!permits(names, "0.0.0.0:9464", "evil.example"));
        assert!(permits(Some(&["*"]), "127.0.0.1:9464", "any.example"));
    }

    #[test]
    fn every_host_of_a_request_must_be_permitted() {
        let hosts = MetricsHosts::new(None, "127.0.0.1:1".parse().ok());
        let request = |uri: &str, headers: &[&str]| {
            let mut request = Request::get(uri);
            for host in headers {
                request = request.header(HOST, *host);
            }
            hosts.permits(&request.body(()).unwrap())
        };
        assert!(request("/metrics", &[]));
        assert!(!request("/metrics", &["localhost", "evil.example"]));
        assert!(!request("http://evil.example/metrics", &["localhost"]));
        assert!(request("http://localhost/metrics", &["localhost"]));
    }
}
