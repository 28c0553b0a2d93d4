//! Recording rules on the life of instances, from which the alerts on services that are down and on
//! services that restart are made.
//!
//! A pushed instance has no target whose scrape could fail. Prometheus records the time stamp of
//! its newest sample, and keeps it after the instance has stopped pushing. An instance is silent if
//! that time stamp has not changed for 90 s, whatever the clock of its host shows. An orderly
//! shutdown pushes `hub_otel_up` 0, which removes the instance.

use crate::promql::{INSTANCE, JOB, Series, grouping, max_by};
use crate::stack::recordings::Recording;
use hub_otel::semconv::metric as m;

/// Time stamp of the newest sample of a pushed instance.
pub const PUSHED: &str = "service:pushed_instance:timestamp_seconds";
/// The same, of instances that stopped without a shutdown.
pub const SILENT: &str = "service:silent_instance:timestamp_seconds";

const NAMESPACE: &str = "service_namespace";
const SERVICE: &str = "service_name";
const LABELS: &[&str] = &[NAMESPACE, SERVICE, JOB, INSTANCE];

/// Returns the recording rules, in order of evaluation.
pub(super) fn recordings() -> Vec<Recording> {
    let (uptime, up) = (Series::of(&m::PROCESS_UPTIME), Series::of(&m::INSTANCE_UP));
    let newest = max_by(LABELS, format!("timestamp({uptime}) unless on ({JOB}, {INSTANCE}) up"));
    vec![
        Recording {
            name: PUSHED,
            group: "system_alerts",
            labels: LABELS,
            // An instance that never returns is forgotten after a week.
            expression: format!(
                "({newest} or {PUSHED} > time() - 604800) unless on ({JOB}, {INSTANCE}) ({up} == 0)"
            ),
        },
        Recording {
            name: SILENT,
            group: "system_alerts",
            labels: LABELS,
            // The count excludes instances that are new, and the time after a start of Prometheus.
            expression: format!(
                "{PUSHED} and changes({PUSHED}[90s]) == 0 and count_over_time({PUSHED}[90s]) >= 8"
            ),
        },
    ]
}

/// Returns an expression that is 0 for each target that cannot be scraped, and for each pushed
/// instance that is silent and was not replaced by a process that started later.
pub(super) fn down() -> String {
    let scraped = "job=\"orchestration-service\"";
    let (uptime, ended) = (
        Series::of(&m::PROCESS_UPTIME),
        Series::of(&m::INSTANCE_UP).is(JOB, "orchestration-service"),
    );
    let service = grouping(&[NAMESPACE, SERVICE]).join(", ");
    // The clocks of two hosts may differ by two minutes.
    let started = max_by(
        &[NAMESPACE, SERVICE],
        format!("(timestamp({uptime}) - {uptime}) unless on ({JOB}, {INSTANCE}) {SILENT}"),
    );
    format!(
        "(max_over_time(up{{{scraped}}}[1m]) * (avg_over_time(up{{{scraped}}}[5m]) > bool 0.5) \
         and up{{{scraped}}} offset 1m) \
         unless on ({JOB}, {INSTANCE}) last_over_time({ended}[1d]) == 0 \
         or 0 * ({SILENT} unless {SILENT} < on ({service}) group_left () ({started} + 120))"
    )
}

/// Returns the number of processes of a service that ended in the last half an hour without a
/// shutdown, or started again at the same target.
pub(super) fn restarts() -> String {
    let by = &[NAMESPACE, SERVICE];
    let restarted =
        crate::promql::sum_by(by, format!("resets({}[30m])", Series::of(&m::PROCESS_UPTIME)));
    let service = grouping(by).join(", ");
    let ended = format!("count by ({service}) ({SILENT} > time() - 1800)");
    format!("({restarted} or 0 * {ended}) + ({ended} or 0 * {restarted})")
}
