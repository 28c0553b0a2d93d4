//! The server's two metrics, bound per label set: the attributes of a label set are hashed once.

use crate::http::method::Method;
use crate::instance::Instance;
use crate::metrics::instruments;
use crate::semconv::{attribute as a, kv, metric};
use opentelemetry::metrics::BoundHistogram;
use opentelemetry::metrics::BoundUpDownCounter;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::UpDownCounter;
use rustc_hash::FxBuildHasher;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

/// The instruments, and the routes seen so far.
///
/// Everything that makes a series is bounded by the program: templates, known methods, status
/// codes, kinds of errors.
pub(crate) struct HttpServerMetrics {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    active_series: Entries<(Method, Scheme), BoundUpDownCounter<i64>>,
    routes: RwLock<HashMap<Arc<str>, Arc<Route>, FxBuildHasher>>,
    unmatched: Arc<Route>,
    hosts: Entries<Box<str>, Host>,
}

/// `server.address` and `server.port` of a host as clients send it.
pub(crate) struct Host {
    pub(crate) address: Arc<str>,
    pub(crate) port: Option<u16>,
}

/// The limit of hosts that are kept. Clients choose them: further ones are parsed at each request.
const MAX_HOSTS: usize = 8;

/// Part of axum's `MatchedPath` if no route matches: a fallback below `nest`, or an opaque service.
const NO_ROUTE: &str = "__private__axum";

/// The template and the series of a route.
pub(crate) struct Route {
    pub(crate) template: Option<Arc<str>>,
    durations: Entries<Labels, BoundHistogram<f64>>,
}

/// `url.scheme`. Any other scheme counts as plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The labels of one request's duration, the route aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) method: Method,
    pub(crate) scheme: Scheme,
    pub(crate) version: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<Cow<'static, str>>,
}

impl Instance {
    pub(crate) fn http_server(&self) -> &HttpServerMetrics {
        self.extensions.get_or_init(|| HttpServerMetrics::new(&self.meter))
    }
}

impl HttpServerMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            duration: instruments::build_histogram(meter, &metric::HTTP_SERVER_REQUEST_DURATION),
            active: instruments::build_up_down_counter(meter, &metric::HTTP_SERVER_ACTIVE_REQUESTS),
            active_series: RwLock::default(),
            routes: RwLock::default(),
            unmatched: Arc::new(Route::new(None)),
            hosts: RwLock::default(),
        }
    }

    /// Returns the host `text`, by `parse` at its first use. `None` if it is not valid.
    pub(crate) fn host(
        &self,
        text: &str,
        parse: impl FnOnce(&str) -> Option<Host>,
    ) -> Option<Arc<Host>> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, host)) = hosts.iter().find(|(known, _)| **known == *text) {
            return Some(host.clone());
        }
        drop(hosts);
        let host = Arc::new(parse(text)?);
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() < MAX_HOSTS && !hosts.iter().any(|(known, _)| **known == *text) {
            hosts.push((text.into(), host.clone()));
        }
        Some(host)
    }

    pub(crate) fn route(&self, template: Option<&str>) -> Arc<Route> {
        let Some(template) = template else { return self.unmatched.clone() };
        if let Some(route) =
            self.routes.read().unwrap_or_else(PoisonError::into_inner).get(template)
        {
            return route.clone();
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let template: Arc<str> = template.into();
        let is_route = !template.contains(NO_ROUTE);
        let route = || {
            if is_route {
                Arc::new(Route::new(Some(template.clone())))
            } else {
                self.unmatched.clone()
            }
        };
        routes.entry(template.clone()).or_insert_with(route).clone()
    }

    pub(crate) fn active(&self, method: &Method, scheme: Scheme) -> Arc<BoundUpDownCounter<i64>> {
        let is_same = |(known_method, known_scheme): &(Method, Scheme)| {
            known_method == method && *known_scheme == scheme
        };
        find_or_add(&self.active_series, is_same, || {
            let key = (method.clone(), scheme);
            let labels =
                [kv(a::HTTP_REQUEST_METHOD, method.label()), kv(a::URL_SCHEME, scheme.label())];
            (key, self.active.bind(&labels))
        })
    }

    pub(crate) fn record(&self, route: &Route, labels: Labels, duration: std::time::Duration) {
        let series = find_or_add(
            &route.durations,
            |known| *known == labels,
            || {
                let mut attributes = vec![
                    kv(a::HTTP_REQUEST_METHOD, labels.method.label()),
                    kv(a::URL_SCHEME, labels.scheme.label()),
                    kv(a::NETWORK_PROTOCOL_VERSION, labels.version),
                ];
                attributes
                    .extend(route.template.clone().map(|template| kv(a::HTTP_ROUTE, template)));
                attributes.extend(
                    labels.status.map(|status| kv(a::HTTP_RESPONSE_STATUS_CODE, i64::from(status))),
                );
                attributes.extend(labels.error.clone().map(|error| kv(a::ERROR_TYPE, error)));
                (labels.clone(), self.duration.bind(&attributes))
            },
        );
        series.record(duration.as_secs_f64());
    }
}

impl Route {
    fn new(template: Option<Arc<str>>) -> Self {
        Self { template, durations: RwLock::default() }
    }
}

/// A list, because a linear search is cheaper than a hash for a few entries.
type Entries<K, V> = RwLock<Vec<(K, Arc<V>)>>;

fn find_or_add<K, V>(
    entries: &Entries<K, V>,
    is_same: impl Fn(&K) -> bool,
    make: impl FnOnce() -> (K, V),
) -> Arc<V> {
    let found = |entries: &[(K, Arc<V>)]| {
        entries.iter().find(|(key, _)| is_same(key)).map(|(_, value)| value.clone())
    };
    if let Some(value) = found(&entries.read().unwrap_or_else(PoisonError::into_inner)) {
        return value;
    }
    let mut entries = entries.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = found(&entries) {
        return value;
    }
    let (key, value) = make();
    let value = Arc::new(value);
    entries.push((key, value.clone()));
    value
}
