//! How late the application's runtime serves a timer: the counterpart of an event loop's lag.
//!
//! The timer is the private runtime's, because the application's may have none; what is measured is how long the
//! application's runtime takes to serve it. One probe at a time: a runtime that is stuck is not piled upon, and shows as
//! one long lag when it moves again.

use opentelemetry::metrics::Histogram;
use std::time::Duration;
use std::time::Instant;
use tokio::runtime::Handle;

/// How often the application's runtime is asked.
const INTERVAL: Duration = Duration::from_millis(250);

pub(super) async fn keep_measuring(lag: Histogram<f64>, application: Handle) {
    let mut clock = tokio::time::interval(INTERVAL);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let due = Instant::now();
        match application.spawn(async move { due.elapsed() }).await {
            Ok(late) => lag.record(late.as_secs_f64(), &[]),
            // The application's runtime is gone.
            Err(_) => return,
        }
    }
}
