//! State of the live view, and the loop that moves the feed into the store.

use super::access::Access;
use super::application::Application;
use super::feed::Feed;
use super::health::HealthHistory;
use super::store::{Dropped, Store, StoreLimits};
use crate::config::Config;
use crate::export::delivery::Delivery;
use crate::export::encode::redact_span;
use crate::export::metrics::ManualMetricReader;
use crate::export::metrics::host::MetricsHosts;
use crate::export::retry::EndpointStates;
use crate::instance::Instance;
use crate::metrics::UnitMetrics;
use crate::telemetry::redaction::Sensitive;
use crate::unit::span_facts::keep_last;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

/// Limit of the clients with a stream of events.
pub(super) const MAX_CLIENTS: usize = 32;
/// Limit of the requests of other processes whose bodies are in memory. Further ones wait.
pub(super) const MAX_REQUESTS: usize = 8;
/// Time in which messages are collected before they are stored.
const BATCH_TIME: Duration = Duration::from_millis(40);
/// Messages that are stored under one lock.
const BATCH: usize = 256;
/// Time between two samples of the metrics.
pub(super) const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// The live view of one instance.
pub(crate) struct LiveServer {
    /// Changes with every start of the process.
    pub(super) epoch: String,
    pub(super) access: Access,
    pub(super) changed: watch::Sender<u64>,
    pub(super) clients: Arc<Semaphore>,
    /// Requests of other processes.
    pub(super) receiving: Semaphore,
    pub(super) application: Mutex<Application>,
    pub(super) health: Mutex<HealthHistory>,
    pub(super) config: Config,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) endpoints: EndpointStates,
    /// The export runtime: every request is handled there.
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "read by the router"))]
    pub(super) runtime: Handle,
    pub(crate) address: Option<SocketAddr>,
    feed: Arc<Feed>,
    store: Mutex<Store>,
    instance: Arc<Instance>,
    resource: Resource,
}

/// The parts of the pipeline that the live view reads.
pub(crate) struct LiveParts {
    pub(crate) config: Config,
    pub(crate) feed: Arc<Feed>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) resource: Resource,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) endpoints: EndpointStates,
    pub(crate) runtime: Handle,
    pub(crate) address: Option<SocketAddr>,
}

impl LiveServer {
    pub(crate) fn new(parts: LiveParts) -> Arc<Self> {
        let live = &parts.config.live;
        let mut tokens = live.tokens.value.clone();
        if tokens.is_empty() && !*live.is_open {
            tokens.push(Sensitive::new(uuid::Uuid::new_v4().simple().to_string()));
        }
        // The rule of loopback for every address: other names are listed.
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let hosts = MetricsHosts::new(live.hosts.value.clone(), Some(loopback));
        let store = Store::new(StoreLimits::default(), parts.config.deny.clone());
        Arc::new(Self {
            epoch: uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
            access: Access::new(tokens, hosts),
            changed: watch::channel(0).0,
            clients: Arc::new(Semaphore::new(MAX_CLIENTS)),
            receiving: Semaphore::new(MAX_REQUESTS),
            application: Mutex::default(),
            health: Mutex::default(),
            store: Mutex::new(store),
            config: parts.config,
            deliveries: parts.deliveries,
            endpoints: parts.endpoints,
            runtime: parts.runtime,
            address: parts.address,
            feed: parts.feed,
            instance: parts.instance,
            resource: parts.resource,
        })
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_application(&self, application: Application) {
        *self.application.lock().unwrap_or_else(PoisonError::into_inner) = application;
    }

    pub(super) fn application(&self) -> Application {
        self.application.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the query with the token for the printed URL.
    pub(crate) fn token_query(&self) -> String {
        self.access.token_query()
    }

    /// Moves the messages of the feed into the store. Called on the export thread only.
    pub(super) fn drain(&self) {
        let mut messages = self.feed.take().into_iter();
        if messages.len() == 0 {
            return;
        }
        while messages.len() > 0 {
            let mut store = self.store();
            messages.by_ref().take(BATCH).for_each(|message| store.apply(message));
        }
        let version = self.store().version();
        self.changed.send_replace(version);
    }

    /// Stores the feed until the runtime stops.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.feed.wake.notified().await;
            // Earlier if much arrives.
            tokio::select! {
                () = sleep(BATCH_TIME) => {}
                () = self.feed.wake.notified() => {}
            }
            self.drain();
        }
    }

    /// Samples the metrics until the runtime stops.
    pub(crate) async fn sample(self: Arc<Self>, reader: ManualMetricReader) {
        loop {
            if let Ok(metrics) = UnitMetrics::left_out(|| reader.read()) {
                let units = self.instance.units.snapshot();
                self.health.lock().unwrap_or_else(PoisonError::into_inner).add(&units, &metrics);
            }
            sleep(SAMPLE_INTERVAL).await;
        }
    }

    /// Returns facts that do not change.
    pub(super) fn info(&self) -> Value {
        let application = self.application();
        let resource: BTreeMap<String, String> =
            self.resource.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        json!({
            "epoch": self.epoch,
            "service": self.config.service_name(),
            "resource": resource,
            "version": env!("CARGO_PKG_VERSION"),
            "traceUrl": self.config.live.trace_url.value,
            "hint": application.hint,
            "canDecide": application.decide.is_some(),
            "canCancel": application.cancel.is_some(),
        })
    }

    /// Returns a span as OTLP JSON, one in progress as it is now.
    pub(super) fn span_json(&self, trace: TraceId, id: SpanId) -> Option<String> {
        self.drain();
        let store = self.store();
        let stored = store.trace(trace)?;
        let span = stored.span(id)?;
        let now = if span.is_open() { self.instance.open_units.span(id) } else { None };
        let Some(mut now) = now else {
            let resource = span.process.as_ref().map(|process| &process.resource);
            let content = stored.content(id).collect();
            return Some(to_json(&SpanJson { span: span.to_wire(trace), resource, content }));
        };
        keep_last(&mut now.attributes, |attribute| attribute.key.as_str());
        redact_span(&mut now, &self.config.deny);
        now.end_time = UNIX_EPOCH;
        Some(to_json(&WireSpan::from(now)))
    }

    /// Returns the resource of this process as a message of OTLP.
    pub(super) fn own_resource(&self) -> WireResource {
        let attributes = ResourceAttributesWithSchema::from(&self.resource).attributes.0;
        WireResource { attributes, ..WireResource::default() }
    }

    /// Returns traces as one OTLP JSON document.
    pub(super) fn traces_json(&self, traces: &[TraceId]) -> String {
        self.drain();
        let store = self.store();
        let own = self.own_resource();
        let mut processes: Vec<(&WireResource, SpansByScope<'_>)> = Vec::new();
        let spans = |id: &TraceId| store.trace(*id).map_or(&[][..], |trace| &trace.spans);
        for (id, span) in traces.iter().flat_map(|id| spans(id).iter().map(|it| (*id, it))) {
            let resource = span.process.as_ref().map_or(&own, |process| &process.resource);
            let place = processes.iter().position(|(known, _)| std::ptr::eq(*known, resource));
            let place = place.unwrap_or_else(|| {
                processes.push((resource, BTreeMap::new()));
                processes.len() - 1
            });
            if let Ok(json) = RawValue::from_string(to_json(&span.to_wire(id))) {
                processes[place].1.entry(&*span.scope).or_default().push(json);
            }
        }
        let resource_spans = processes.into_iter().map(|(resource, scopes)| {
            let scopes = scopes.into_iter();
            let scope_spans = scopes
                .map(|(scope, spans)| ScopeSpansJson { scope: ScopeJson { name: scope }, spans })
                .collect();
            ResourceSpansJson { resource, scope_spans }
        });
        to_json(&DocumentJson { resource_spans: resource_spans.collect() })
    }

    /// Returns the state of the process: metrics, delivery, Collector.
    pub(super) fn health_json(&self) -> Value {
        self.drain();
        let store = self.store();
        let (bytes, limit, dropped) = (store.bytes(), store.limits.bytes, store.dropped);
        drop(store);
        let delivery: Vec<_> = self
            .deliveries
            .iter()
            .map(|delivery| {
                let report = delivery.accounting.report();
                DeliveryJson {
                    signal: delivery.signal.as_str(),
                    exporter: delivery.exporter.as_deref().unwrap_or_default().to_owned(),
                    finished: report.finished,
                    ok: report.ok,
                    rejected: report.rejected,
                    failed: report.failures,
                    dropped: report.dropped,
                    pending: report.pending,
                }
            })
            .collect();
        let collectors: Vec<_> = self
            .endpoints
            .iter()
            .map(|(endpoint, state)| {
                json!({
                    "endpoint": endpoint,
                    "responding": state.is_responding(),
                    "error": state.last_error(),
                })
            })
            .collect();
        let history = self.health.lock().unwrap_or_else(PoisonError::into_inner).to_json();
        json!({
            "history": history,
            "delivery": delivery,
            "collectors": collectors,
            "store": StoreJson { bytes, limit, dropped, feed: self.feed.dropped() },
            "clients": MAX_CLIENTS - self.clients.available_permits(),
        })
    }
}

#[derive(serde::Serialize)]
struct DeliveryJson {
    signal: &'static str,
    /// Name of an exporter of the application.
    exporter: String,
    finished: u64,
    ok: u64,
    rejected: u64,
    failed: BTreeMap<String, u64>,
    dropped: BTreeMap<String, u64>,
    pending: u64,
}

#[derive(serde::Serialize)]
struct StoreJson {
    bytes: usize,
    limit: usize,
    dropped: Dropped,
    feed: u64,
}

/// Spans of OTLP JSON by the names of their scopes.
type SpansByScope<'a> = BTreeMap<&'a str, Vec<Box<RawValue>>>;

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A span, with the resource of another process and the content of its events.
#[derive(serde::Serialize)]
struct SpanJson<'a> {
    #[serde(flatten)]
    span: WireSpan,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a WireResource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content: Vec<&'a RawValue>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentJson<'a> {
    resource_spans: Vec<ResourceSpansJson<'a>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpansJson<'a> {
    resource: &'a WireResource,
    scope_spans: Vec<ScopeSpansJson<'a>>,
}

#[derive(serde::Serialize)]
struct ScopeSpansJson<'a> {
    scope: ScopeJson<'a>,
    spans: Vec<Box<RawValue>>,
}

#[derive(serde::Serialize)]
struct ScopeJson<'a> {
    name: &'a str,
}
