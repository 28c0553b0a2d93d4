//! Start of the live view.

use super::BuildContext;
use crate::export::metrics::ManualMetricReader;
use crate::instance::Instance;
use crate::live::listener;
use crate::live::server::{LiveParts, LiveServer};
use opentelemetry_sdk::metrics::{MeterProviderBuilder, Temporality};
use std::net::TcpListener;
use std::sync::Arc;
use tokio::task::JoinHandle;

impl BuildContext {
    /// Returns the reader of the metrics that the health shows: the one of `/metrics`, if it is
    /// served, because the SDK aggregates every measurement once per reader.
    pub(super) fn live_reader(
        &self,
        builder: MeterProviderBuilder,
        served: Option<&ManualMetricReader>,
    ) -> (MeterProviderBuilder, Option<ManualMetricReader>) {
        if self.live.is_none() {
            return (builder, None);
        }
        if let Some(reader) = served {
            return (builder, Some(reader.clone()));
        }
        let reader = ManualMetricReader::new(Temporality::Cumulative);
        (builder.with_reader(reader.clone()), Some(reader))
    }

    /// Starts the live view, if it is on.
    pub(super) fn live_view(
        &self,
        instance: &Arc<Instance>,
        socket: Option<TcpListener>,
        reader: Option<ManualMetricReader>,
    ) -> (Option<Arc<LiveServer>>, Option<JoinHandle<()>>) {
        let Some((feed, reader)) = self.live.clone().zip(reader) else { return (None, None) };
        let handle = self.runtime.handle();
        let server = LiveServer::new(LiveParts {
            config: self.config.clone(),
            feed,
            instance: Arc::clone(instance),
            resource: self.resource.clone(),
            deliveries: self.deliveries.clone(),
            endpoints: self.endpoints.clone(),
            runtime: handle.clone(),
            address: socket.as_ref().and_then(|socket| socket.local_addr().ok()),
        });
        // Not tasks that the shutdown waits for: they run until the runtime stops.
        handle.spawn(Arc::clone(&server).run());
        handle.spawn(Arc::clone(&server).sample(reader));
        let serve = |socket| listener::serve(socket, Arc::clone(&server));
        let task = socket.map(|socket| handle.spawn(serve(socket)));
        (Some(server), task)
    }
}
