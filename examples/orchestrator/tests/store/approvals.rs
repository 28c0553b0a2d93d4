//! Approvals: one decision each, and its effect on the run.

use crate::fixture::TestStore;
use crate::{later, owner, question, result, running, yes};
use orchestrator::clock::Timestamp;
use orchestrator::domain::{Approval, Decision, RunState, RunStatus};
use orchestrator::store::{Decided, Effect, Paused, Resolution};
use std::time::Duration;

pub(crate) async fn a_decision_is_stored_once_and_updates_its_run(store: impl TestStore) {
    let run = running(&store).await;
    let request = async |run: &RunState| {
        store.request_approval(run.clone(), question(run, later())).await.unwrap().unwrap()
    };
    let requested = request(&run).await;
    assert_eq!(request(&run).await.id, requested.id, "requested once");
    assert_eq!(store.approval_backlog().await.unwrap()[0].pending, 1);
    assert_eq!(store.suspend(run.clone(), Some("s".into()), 7).await.unwrap(), Paused::Now);
    assert_eq!(store.suspend(run, None, 7).await.unwrap(), Paused::Lost);
    let decide = async |id: &str, how| store.decide(id, how, Some(owner("me"))).await.unwrap();
    let Decided::Now(decision) = decide(&requested.id, yes()).await else { panic!() };
    let Effect::Continued(run) = decision.effect else { panic!() };
    assert_eq!((run.status, run.executed_ms), (RunStatus::Pending, 7));
    assert_eq!(run.owner.as_deref(), Some("me"));
    assert!(matches!(decide(&requested.id, yes()).await, Decided::Already(_)));
    assert!(matches!(decide("unknown", yes()).await, Decided::Unknown));
    assert!(store.approval_backlog().await.unwrap().is_empty());

    let run = running(&store).await;
    let requested = request(&run).await;
    store.suspend(run, None, 0).await.unwrap();
    let no = Resolution { decision: Decision::Rejected, ..yes() };
    let Decided::Now(decision) = decide(&requested.id, no).await else { panic!() };
    assert!(matches!(decision.effect, Effect::Ended(run) if run.status == RunStatus::Rejected));
}

pub(crate) async fn the_first_of_two_decisions_continues_the_run(store: impl TestStore) {
    let run = running(&store).await;
    let mut requested = Vec::new();
    for node in ["a", "b"] {
        let approval = Approval { node_id: node.into(), ..question(&run, later()) };
        requested.push(store.request_approval(run.clone(), approval).await.unwrap().unwrap());
    }
    store.suspend(run, None, 0).await.unwrap();
    let mut effects = Vec::new();
    for approval in requested {
        let decided = store.decide(&approval.id, yes(), Some(owner("me"))).await.unwrap();
        let Decided::Now(decision) = decided else { panic!() };
        effects.push(decision.effect);
    }
    assert!(matches!(effects[0], Effect::Continued(_)));
    assert!(matches!(effects[1], Effect::Unchanged(_)), "{effects:?}");
}

pub(crate) async fn a_run_does_not_wait_for_a_decided_approval(store: impl TestStore) {
    let run = running(&store).await;
    let requested = store.request_approval(run.clone(), question(&run, later())).await.unwrap();
    let decided = store.decide(&requested.unwrap().id, yes(), Some(owner("me"))).await.unwrap();
    let Decided::Now(decision) = decided else { panic!() };
    assert!(matches!(decision.effect, Effect::InFlight(_)));
    assert_eq!(store.suspend(run.clone(), None, 0).await.unwrap(), Paused::Decided);
    store.save_node(run.clone(), result(1)).await.unwrap();
    assert_eq!(store.suspend(run, None, 0).await.unwrap(), Paused::Now);
}

pub(crate) async fn silence_expires(store: impl TestStore) {
    let run = running(&store).await;
    let requested = store.request_approval(run.clone(), question(&run, Timestamp::now())).await;
    let requested = requested.unwrap().unwrap();
    store.suspend(run, None, 0).await.unwrap();
    assert_eq!(store.next_expiry().await.unwrap(), Some(Duration::ZERO));
    assert!(
        matches!(store.decide(&requested.id, yes(), None).await.unwrap(), Decided::Expired(_)),
        "the clock was first"
    );
    let expired = store.expire().await.unwrap();
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].approval.decision, Decision::Expired);
    assert!(matches!(&expired[0].effect, Effect::Ended(run) if run.status == RunStatus::TimedOut));
    assert!(store.expire().await.unwrap().is_empty());
    assert_eq!(store.next_expiry().await.unwrap(), None);
}
