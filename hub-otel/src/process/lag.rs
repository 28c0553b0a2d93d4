//! The scheduling lag of the application's runtime: the time from a due timer to the start of a
//! task on that runtime, like the event-loop lag of other platforms.
//!
//! The timer is one of the library's own runtime, because the application's may have none. A probe
//! is sent only after the last one has run: a blocked runtime is not given more tasks, and shows as
//! one long lag.

use opentelemetry::metrics::Histogram;
use std::time::Duration;
use std::time::Instant;
use tokio::runtime::Handle;

/// The time between two probes.
const INTERVAL: Duration = Duration::from_millis(250);

pub(super) async fn measure_repeatedly(lag: Histogram<f64>, application: Handle) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let due = Instant::now();
        match application.spawn(async move { due.elapsed() }).await {
            Ok(elapsed) => lag.record(elapsed.as_secs_f64(), &[]),
            // The application's runtime has shut down.
            Err(_) => return,
        }
    }
}
