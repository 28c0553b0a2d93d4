//! Who may learn which run a request belongs to.

use crate::propagation::{Injector, inject, inject_run};

/// The destinations that are sent `workflow.run.id` and `workflow.id` as baggage. Everybody else gets the trace only.
///
/// ```
/// use hub_otel::propagation::AllowList;
/// let ours = AllowList::new(["agents.internal", "*.svc.cluster.local"]);
/// assert!(ours.allows("scanner.svc.cluster.local"));
/// assert!(!ours.allows("api.example.com"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    hosts: Vec<String>,
}

impl AllowList {
    /// Host names; `*.` at the beginning stands for every name below.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| host.into().to_ascii_lowercase()).collect() }
    }

    /// These, and one more.
    #[cfg(feature = "reqwest")]
    pub(crate) fn with(mut self, host: &str) -> Self {
        self.hosts.push(host.to_ascii_lowercase());
        self
    }

    /// Whether `host` is one of them.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|allowed| match allowed.strip_prefix("*.") {
            Some(parent) => {
                host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => *allowed == host,
        })
    }

    /// Writes the context of a request to `host`: the run's identity only if it is allowed to see it.
    pub fn inject(&self, host: &str, carrier: &mut dyn Injector) {
        if self.allows(host) { inject_run(carrier) } else { inject(carrier) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_names_below_it_and_for_nothing_else() {
        let list = AllowList::new(["*.Example.com"]);
        assert!(list.allows("a.example.COM"));
        for other in ["example.com", ".example.com", "notexample.com", "example.com.evil.org"] {
            assert!(!list.allows(other), "{other}");
        }
    }
}
