//! Decisions that do not depend on the database.

use super::{Decided, Effect, Listed, StoredDecision};
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, Run, RunStatus, Workflow};
use crate::store::{Admitted, AlertRequest, Created, Owner};

/// A change of a run's status. Unset values stay, except that the run has no owner.
#[derive(Default)]
pub(super) struct Change<'a> {
    pub(super) owner: Option<&'a str>,
    pub(super) failure: Option<(&'a str, &'a str)>,
    pub(super) segment: Option<&'a str>,
    pub(super) executed_ms: Option<u64>,
}

impl Change<'_> {
    /// The executed time as it is stored.
    pub(super) fn executed(&self) -> Option<i64> {
        self.executed_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

/// The result for a request whose idempotency key is known. `stored` is the fingerprint of the
/// earlier request.
pub(super) fn known_key(run: Run, stored: Option<&str>, fingerprint: &str) -> Created {
    if stored == Some(fingerprint) { Created::Existing(run) } else { Created::Conflict }
}

/// The executed time of a run that is cancelled at `now`: its segment in flight does not write its
/// time any more.
pub(super) fn executed_until(run: &Run, now: Timestamp) -> u64 {
    let segment = run.resumed_at.map_or(0, |since| now.since(since).as_millis());
    run.executed_ms.saturating_add(u64::try_from(segment).unwrap_or(u64::MAX))
}

/// The reason for which an approval cannot be decided at `now`.
pub(super) fn undecidable(approval: &Approval, now: Timestamp) -> Option<Decided> {
    match approval.decision {
        Decision::Pending if approval.expires_at > now => None,
        // Expired, even if the expiry is not stored yet.
        Decision::Pending | Decision::Expired => Some(Decided::Expired(approval.clone())),
        Decision::Approved | Decision::Rejected | Decision::Cancelled => {
            Some(Decided::Already(approval.clone()))
        }
    }
}

/// The change that a decision makes to a run which waits for it.
pub(super) struct Continuation<'a> {
    pub(super) to: RunStatus,
    pub(super) failure: Option<(&'static str, &'static str)>,
    /// The owner of a run that continues.
    pub(super) owner: Option<&'a Owner>,
}

/// Returns the change of the run, or the effect of a decision that changes no run.
#[expect(clippy::result_large_err, reason = "matched once, never stored")]
pub(super) fn continuation(
    decision: Decision,
    run: Run,
    owner: Option<&Owner>,
) -> Result<(Run, Continuation<'_>), Effect> {
    match run.status {
        RunStatus::WaitingApproval => {}
        RunStatus::Running => return Err(Effect::InFlight(run)),
        _ => return Err(Effect::Unchanged(run)),
    }
    let (to, failure) = match decision {
        Decision::Approved => (RunStatus::Pending, None),
        Decision::Rejected => (RunStatus::Rejected, None),
        Decision::Expired => {
            (RunStatus::TimedOut, Some(("approval_expired", "the approval expired")))
        }
        Decision::Pending | Decision::Cancelled => return Err(Effect::Unchanged(run)),
    };
    let owner = owner.filter(|_| !to.is_terminal());
    Ok((run, Continuation { to, failure, owner }))
}

/// The stored decision after the change of its run.
pub(super) fn decided(approval: Approval, run: Run, cancelled: Vec<Approval>) -> StoredDecision {
    let ended = run.status.is_terminal();
    let effect = if ended { Effect::Ended(run) } else { Effect::Continued(run) };
    StoredDecision { approval, effect, cancelled }
}

/// The result for an alert that starts no run. `open` is the latest run of its incident.
pub(super) fn deduplicated(
    alert: &AlertRequest,
    open: Option<(String, Timestamp)>,
    now: Timestamp,
) -> Option<Admitted> {
    match open {
        None if !alert.firing => Some(Admitted::Nothing),
        Some((run, last)) if alert.firing && now.since(last) < alert.remind_after => {
            Some(Admitted::Deduplicated(run))
        }
        _ => None,
    }
}

/// Parses the definitions of a page. Logs and omits those that this version cannot read.
pub(super) fn readable(listed: Listed<(String, String)>) -> Listed<Workflow> {
    let parse = |(name, definition): (String, String)| match serde_json::from_str(&definition) {
        Ok(workflow) => Some(workflow),
        Err(error) => {
            tracing::warn!(name, %error, "this version cannot read the workflow");
            None
        }
    };
    Listed { entries: listed.entries.into_iter().filter_map(parse).collect(), next: listed.next }
}
