//! Test suite of a store, run with SQLite in a file and in memory.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use orchestrator::clock::Timestamp;
use orchestrator::domain::{
    Approval, Decision, NewRun, NodeRecord, NodeStatus, RunStatus, Trigger, Workflow,
};
use orchestrator::store::sqlite::SqliteStore;
use orchestrator::store::{
    Admitted, AlertRequest, ApprovalStore as _, Cancelled, Created, Decided, End,
    IncidentStore as _, Page, Resolution, RunStore as _, Store, StoreError, WorkflowStore as _,
};
use serde_json::json;
use std::time::Duration;

const ALL: Page = Page { limit: 100, offset: 0 };

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod a_file {
            $(#[tokio::test]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("x.db");
                super::$name(super::SqliteStore::open(file.to_str().unwrap()).await.unwrap()).await;
            })*
        }
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::SqliteStore::open(":memory:").await.unwrap()).await;
            })*
        }
    };
}

conformance!(
    a_name_is_taken_once,
    a_status_changes_by_compare_and_swap,
    a_committed_result_stays,
    one_key_is_one_run,
    a_decision_is_stored_once_and_updates_its_run,
    a_run_does_not_wait_for_a_decided_approval,
    silence_expires,
    recovery_counts_crashes_and_fails_crash_loops,
    an_incident_starts_a_run_when_it_opens_lasts_and_is_resolved,
    a_signature_is_new_once,
    every_concurrent_write_gets_its_result,
);

async fn seeded(store: &impl Store) -> NewRun {
    let node = json!({"id": "a", "agent": "x", "action": "y"});
    let workflow: Workflow = serde_json::from_value(json!({"name": "w", "nodes": [node]})).unwrap();
    store.create_workflow(&workflow).await.unwrap();
    NewRun::new("w", Trigger::Manual, serde_json::Map::new())
}

async fn running(store: &impl Store) -> String {
    let run = seeded(store).await;
    let id = run.id.clone();
    store.create_run(run).await.unwrap();
    store.claim(&id, "me", None).await.unwrap().unwrap();
    id
}

fn end(status: RunStatus) -> End {
    End { status, error_type: None, error: None, executed_ms: 5 }
}

fn result(output: i32) -> NodeRecord {
    let now = Timestamp::now();
    NodeRecord {
        id: "a".into(),
        agent: "x".into(),
        action: "y".into(),
        status: NodeStatus::Success,
        output: Some(output.into()),
        error_type: None,
        error: None,
        attempts: 1,
        started_at: now,
        finished_at: now,
    }
}

fn question(run: &str, expires: Timestamp) -> Approval {
    Approval {
        id: uuid::Uuid::now_v7().to_string(),
        run_id: run.into(),
        workflow: "w".into(),
        node_id: "a".into(),
        agent: "x".into(),
        action: "y".into(),
        input: json!({"k": 1}),
        decision: Decision::Pending,
        requested_at: Timestamp::now(),
        expires_at: expires,
        decided_at: None,
        responded_by: None,
        notes: None,
    }
}

fn later() -> Timestamp {
    Timestamp::now().after(std::time::Duration::from_secs(60))
}

fn yes() -> Resolution {
    Resolution { decision: Decision::Approved, responded_by: "ada".into(), notes: None }
}

async fn a_name_is_taken_once(store: SqliteStore) {
    seeded(&store).await;
    let workflow = store.workflow("w").await.unwrap().unwrap();
    assert!(!store.create_workflow(&workflow).await.unwrap());
    assert_eq!(store.workflows(ALL).await.unwrap(), [workflow]);
    assert!(store.workflow("unknown").await.unwrap().is_none());
    store.check().await.unwrap();
}

async fn a_status_changes_by_compare_and_swap(store: SqliteStore) {
    let id = running(&store).await;
    assert!(store.claim(&id, "other", None).await.unwrap().is_none(), "claimed once");
    assert!(store.hand_back(&id, Some("s".into()), 3).await.unwrap());
    assert!(!store.hand_back(&id, None, 3).await.unwrap());
    let run = store.claim(&id, "me", None).await.unwrap().unwrap();
    assert_eq!((run.segment.as_deref(), run.executed_ms), (Some("s"), 3));
    assert!(store.finish(&id, end(RunStatus::Success)).await.unwrap().is_some());
    assert!(
        store.finish(&id, end(RunStatus::Failed)).await.unwrap().is_none(),
        "a terminal state stays"
    );
    let (cancelled, _) = store.cancel(&id).await.unwrap();
    assert!(matches!(cancelled, Cancelled::AlreadyEnded(RunStatus::Success)));
    let run = store.run(&id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Success);
    assert!(run.finished_at.is_some() && run.started_at <= run.finished_at);
    assert!(matches!(store.cancel("unknown").await.unwrap().0, Cancelled::Unknown));
}

async fn a_committed_result_stays(store: SqliteStore) {
    let id = running(&store).await;
    assert!(store.save_node(&id, result(1)).await.unwrap());
    assert!(!store.save_node(&id, result(2)).await.unwrap());
    let nodes = store.nodes(std::slice::from_ref(&id)).await.unwrap();
    assert_eq!(nodes[0].1.output, Some(json!(1)));
    store.finish(&id, end(RunStatus::Success)).await.unwrap();
    let other = NodeRecord { id: "b".into(), ..result(3) };
    assert!(
        !store.save_node(&id, other).await.unwrap(),
        "nothing is added to a run that has ended"
    );
}

async fn one_key_is_one_run(store: SqliteStore) {
    let mut run = seeded(&store).await;
    run.idempotency = Some(("key".into(), "print".into()));
    let first = store.create_run(run.clone()).await.unwrap();
    assert!(matches!(first, Created::New(_)));
    let mut again = NewRun { id: uuid::Uuid::now_v7().to_string(), ..run.clone() };
    let created = store.create_run(again.clone()).await.unwrap();
    assert!(matches!(created, Created::Existing(known) if known.id == run.id));
    again.idempotency = Some(("key".into(), "other".into()));
    assert!(matches!(store.create_run(again).await.unwrap(), Created::Conflict));
    assert_eq!(store.runs("w", None, ALL).await.unwrap().len(), 1);
}

async fn a_decision_is_stored_once_and_updates_its_run(store: SqliteStore) {
    let id = running(&store).await;
    let asked = store.request_approval(question(&id, later())).await.unwrap().unwrap();
    let again = store.request_approval(question(&id, later())).await.unwrap().unwrap();
    assert_eq!(again.id, asked.id, "asked once");
    assert_eq!(store.backlog().await.unwrap()[0].pending, 1);
    assert!(store.suspend(&id, Some("s".into()), 7).await.unwrap());
    let (decided, _) = store.decide(&asked.id, yes()).await.unwrap();
    let Decided::Now(_, run) = decided else { panic!("{decided:?}") };
    assert_eq!((run.status, run.executed_ms), (RunStatus::Pending, 7));
    assert!(matches!(store.decide(&asked.id, yes()).await.unwrap().0, Decided::Already(_)));
    assert!(matches!(store.decide("unknown", yes()).await.unwrap().0, Decided::Unknown));
    assert!(store.backlog().await.unwrap().is_empty());

    let id = running(&store).await;
    let asked = store.request_approval(question(&id, later())).await.unwrap().unwrap();
    store.suspend(&id, None, 0).await.unwrap();
    let no = Resolution { decision: Decision::Rejected, ..yes() };
    let (decided, _) = store.decide(&asked.id, no).await.unwrap();
    assert!(matches!(decided, Decided::Now(_, run) if run.status == RunStatus::Rejected));
}

async fn a_run_does_not_wait_for_a_decided_approval(store: SqliteStore) {
    let id = running(&store).await;
    let asked = store.request_approval(question(&id, later())).await.unwrap().unwrap();
    let (decided, _) = store.decide(&asked.id, yes()).await.unwrap();
    assert!(matches!(decided, Decided::Now(_, run) if run.status == RunStatus::Running));
    assert!(!store.suspend(&id, None, 0).await.unwrap(), "it would wait for ever");
    store.save_node(&id, result(1)).await.unwrap();
    assert!(store.suspend(&id, None, 0).await.unwrap());
}

async fn silence_expires(store: SqliteStore) {
    let id = running(&store).await;
    let asked = store.request_approval(question(&id, Timestamp::now())).await.unwrap().unwrap();
    store.suspend(&id, None, 0).await.unwrap();
    assert_eq!(store.next_expiry().await.unwrap(), Some(asked.expires_at));
    assert!(
        matches!(store.decide(&asked.id, yes()).await.unwrap().0, Decided::Expired(_)),
        "the clock was first"
    );
    let expired = store.expire().await.unwrap();
    assert_eq!(expired.len(), 1);
    assert_eq!(
        (expired[0].0.decision, expired[0].1.status),
        (Decision::Expired, RunStatus::TimedOut)
    );
    assert!(store.expire().await.unwrap().is_empty());
    assert_eq!(store.next_expiry().await.unwrap(), None);
}

async fn recovery_counts_crashes_and_fails_crash_loops(store: SqliteStore) {
    let id = running(&store).await;
    assert!(store.recover("me", 3).await.unwrap().runs.is_empty(), "its own runs are alive");
    for crashes in 1..3 {
        let recovered = store.recover(&format!("owner {crashes}"), 3).await.unwrap();
        assert_eq!((recovered.runs.len(), recovered.runs[0].crashes), (1, crashes));
        store.claim(&id, &format!("owner {crashes}"), None).await.unwrap().unwrap();
    }
    let recovered = store.recover("the last", 3).await.unwrap();
    assert_eq!((recovered.runs.len(), recovered.crash_looped.len()), (0, 1));
    let run = store.run(&id).await.unwrap().unwrap();
    assert_eq!((run.status, run.error_type.as_deref()), (RunStatus::Failed, Some("crash_loop")));
}

async fn an_incident_starts_a_run_when_it_opens_lasts_and_is_resolved(store: SqliteStore) {
    seeded(&store).await;
    let alert = |firing, remind_after| AlertRequest {
        fingerprint: "f".into(),
        firing,
        run: NewRun::new("w", Trigger::GrafanaWebhook, serde_json::Map::new()),
        remind_after,
    };
    let admit = async |firing, remind| {
        store.admit_alert(alert(firing, Duration::from_millis(remind))).await.unwrap()
    };
    assert!(matches!(admit(false, 1000).await, Admitted::Nothing));
    let Admitted::Started(first) = admit(true, 60_000).await else { panic!("it opened") };
    assert!(
        matches!(admit(true, 60_000).await, Admitted::Deduplicated(known) if known == first.id)
    );
    assert!(matches!(admit(true, 0).await, Admitted::Started(_)), "it still fires");
    assert!(matches!(admit(false, 60_000).await, Admitted::Started(_)), "it resolved");
    assert!(matches!(admit(false, 60_000).await, Admitted::Nothing), "and says so again");
    assert_eq!(store.runs("w", None, ALL).await.unwrap().len(), 3);
}

async fn a_signature_is_new_once(store: SqliteStore) {
    assert!(store.remember_signature("s", later()).await.unwrap());
    assert!(!store.remember_signature("s", later()).await.unwrap());
    assert!(store.remember_signature("old", Timestamp(1)).await.unwrap());
    assert!(store.remember_signature("old", later()).await.unwrap(), "an expired one is forgotten");
}

async fn every_concurrent_write_gets_its_result(store: SqliteStore) {
    let run = seeded(&store).await;
    let tasks: Vec<_> = (0..200)
        .map(|index| {
            let store = store.clone();
            // Writes with an unknown workflow fail, the others succeed.
            let workflow = if index % 10 == 0 { "unknown" } else { "w" };
            let run = NewRun {
                id: uuid::Uuid::now_v7().to_string(),
                workflow: workflow.into(),
                ..run.clone()
            };
            tokio::spawn(async move { store.create_run(run).await.is_ok() })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        stored += usize::from(task.await.unwrap());
    }
    assert_eq!(stored, 180);
    let pages = [Page { limit: 100, offset: 0 }, Page { limit: 100, offset: 100 }];
    let mut found = 0;
    for page in pages {
        found += store.runs("w", None, page).await.unwrap().len();
    }
    assert_eq!(found, 180);
    store.check().await.unwrap();
    store.close().await;
    assert!(matches!(store.create_run(run).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_database_that_becomes_read_only_is_detected_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("x.db").to_str().unwrap()).await.unwrap();
    let run = seeded(&store).await;
    sqlx::query("PRAGMA query_only = ON").execute(store.writing_pool()).await.unwrap();
    assert!(matches!(store.create_run(run.clone()).await, Err(StoreError::Database(_))));
    assert!(store.check().await.is_err(), "degraded");
    assert!(store.workflow("w").await.unwrap().is_some(), "reads continue");
    sqlx::query("PRAGMA query_only = OFF").execute(store.writing_pool()).await.unwrap();
    store.check().await.unwrap();
    assert!(matches!(store.create_run(run).await.unwrap(), Created::New(_)));
}
