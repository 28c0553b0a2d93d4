//! The destinations that receive the identity of a run.

use crate::propagation::carriers::Injector;
use crate::propagation::inject_extract::{inject, inject_run};

/// The hosts that receive `workflow.id` and `workflow.run.id` as baggage. All others receive the
/// trace context only.
///
/// ```
/// use hub_otel::propagation::BaggageAllowList;
///
/// let internal = BaggageAllowList::new(["agents.internal", "*.svc.cluster.local"]);
/// assert!(internal.allows("scanner.svc.cluster.local"));
/// assert!(!internal.allows("api.example.com"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BaggageAllowList {
    hosts: Vec<String>,
}

impl BaggageAllowList {
    /// Creates a list of host names. `*.example.com` matches every name below `example.com`, but
    /// not `example.com` itself. Case is ignored.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| host.into().to_ascii_lowercase()).collect() }
    }

    /// Adds a host.
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(crate) fn push(&mut self, host: &str) {
        self.hosts.push(host.to_ascii_lowercase());
    }

    /// Returns `true` if `host` is on the list.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|allowed| match allowed.strip_prefix("*.") {
            Some(parent) => {
                let subdomain = host.strip_suffix(parent);
                subdomain.is_some_and(|name| name.len() > 1 && name.ends_with('.'))
            }
            None => *allowed == host,
        })
    }

    /// Writes the current context to a request for `host`: with [`inject_run`] if the host is on
    /// the list, else with [`inject`].
    ///
    /// ```
    /// # use hub_otel::propagation::BaggageAllowList;
    /// # let internal = BaggageAllowList::new(["agents.internal"]);
    /// let mut headers = std::collections::HashMap::new();
    /// internal.inject("agents.internal", &mut headers);
    /// ```
    pub fn inject(&self, host: &str, carrier: &mut dyn Injector) {
        if self.allows(host) { inject_run(carrier) } else { inject(carrier) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_matches_names_below_it_and_nothing_else() {
        let list = BaggageAllowList::new(["*.Example.com"]);
        assert!(list.allows("a.example.COM"));
        for other in ["example.com", ".example.com", "notexample.com", "example.com.evil.org"] {
            assert!(!list.allows(other), "{other}");
        }
    }
}
