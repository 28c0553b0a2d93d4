//! Test suite of a store, run with SQLite in a file, SQLite in memory, and PostgreSQL.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod approvals;
mod fixture;
mod leases;
mod model;
mod processes;
mod texts;

use approvals::*;
use fixture::TestStore;
use leases::*;
use orchestrator::clock::Timestamp;
use orchestrator::domain::{
    Approval, Decision, NewRun, NodeRecord, NodeStatus, RunState, RunStatus, Trigger, Workflow,
};
use orchestrator::store::sqlite::SqliteStore;
use orchestrator::store::{
    Admission, Admitted, AlertRequest, Cancelled, Created, End, Owner, Page, Resolution,
    RunStore as _, Store, StoreError, WorkflowStore as _,
};
use serde_json::json;
use std::time::Duration;
use texts::*;

const ALL: Page = Page { limit: 100, after: None };

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
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
                super::$name(crate::fixture::memory().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let Some(store) = crate::fixture::postgres().await else { return };
                super::$name(store).await;
            })*
        }
    };
}

conformance!(
    a_name_is_taken_once,
    an_unreadable_workflow_is_omitted_from_lists,
    a_status_changes_by_compare_and_swap,
    a_committed_result_stays,
    one_key_is_one_run,
    a_decision_is_stored_once_and_updates_its_run,
    the_first_of_two_decisions_continues_the_run,
    a_run_does_not_wait_for_a_decided_approval,
    silence_expires,
    only_an_expired_lease_is_taken_over,
    three_crashes_alone_are_a_crash_loop,
    a_crash_of_several_runs_blames_none,
    an_owner_has_a_maximum_number_of_runs,
    a_released_lease_is_not_a_crash,
    an_expired_lease_is_taken_over_at_once,
    a_pending_run_is_claimed_whatever_owner_it_has,
    a_run_is_in_the_backlog_until_its_first_start,
    an_incident_starts_a_run_when_it_opens_lasts_and_is_resolved,
    ended_runs_and_old_incidents_are_deleted_in_batches,
    a_signature_is_new_once,
    texts_with_any_character_are_stored,
    every_concurrent_write_gets_its_result,
);

async fn seeded(store: &impl Store) -> NewRun {
    let node = json!({"id": "a", "agent": "x", "action": "y"});
    let workflow: Workflow = serde_json::from_value(json!({"name": "w", "nodes": [node]})).unwrap();
    store.create_workflow(&workflow).await.unwrap();
    NewRun::new("w", Trigger::Manual, serde_json::Map::new())
}

fn owner(id: &str) -> Owner {
    Owner { id: id.into(), lease: Duration::from_secs(60) }
}

/// An owner whose lease expires at once.
fn lapsed(id: &str) -> Owner {
    Owner { lease: Duration::ZERO, ..owner(id) }
}

fn admission() -> Admission {
    Admission { owner: owner("me"), max_runs: 1000 }
}

async fn create(store: &impl Store, run: NewRun) -> Created {
    store.create_run(run, admission()).await.unwrap().unwrap()
}

async fn running(store: &impl Store) -> RunState {
    let Created::New(run) = create(store, seeded(store).await).await else { panic!("no key") };
    store.start(run.state(), None).await.unwrap().unwrap().state()
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

fn question(run: &RunState, expires: Timestamp) -> Approval {
    Approval {
        id: uuid::Uuid::now_v7().to_string(),
        run_id: run.id.clone(),
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

async fn a_name_is_taken_once(store: impl TestStore) {
    seeded(&store).await;
    let workflow = store.workflow("w").await.unwrap().unwrap();
    assert!(!store.create_workflow(&workflow).await.unwrap());
    assert_eq!(store.workflows(ALL).await.unwrap().entries, [workflow]);
    assert!(store.workflow("unknown").await.unwrap().is_none());
    store.check().await.unwrap();
}

async fn a_status_changes_by_compare_and_swap(store: impl TestStore) {
    let Created::New(pending) = create(&store, seeded(&store).await).await else { panic!() };
    let other = RunState { owner: Some("other".into()), ..pending.state() };
    assert!(store.start(other, None).await.unwrap().is_none(), "it has one owner");
    let running = store.start(pending.state(), None).await.unwrap().unwrap().state();
    assert!(store.start(pending.state(), None).await.unwrap().is_none(), "started once");
    assert!(store.hand_back(running.clone(), Some("s".into()), 3).await.unwrap());
    assert!(!store.hand_back(running.clone(), None, 3).await.unwrap());
    let recovered = store.take_over(&owner("me"), 3).await.unwrap();
    let run = store.start(recovered.runs[0].state(), None).await.unwrap().unwrap();
    assert_eq!((run.segment.as_deref(), run.executed_ms), (Some("s"), 3));
    assert!(
        store.finish(running, end(RunStatus::Failed)).await.unwrap().is_none(),
        "an earlier segment changes nothing"
    );
    let state = run.state();
    assert!(store.finish(state.clone(), end(RunStatus::Success)).await.unwrap().is_some());
    assert!(
        store.finish(state, end(RunStatus::Failed)).await.unwrap().is_none(),
        "a terminal state stays"
    );
    let (cancelled, _) = store.cancel(&run.id).await.unwrap();
    assert!(matches!(cancelled, Cancelled::AlreadyEnded(RunStatus::Success)));
    let run = store.run(&run.id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Success);
    assert!(run.finished_at.is_some() && run.started_at <= run.finished_at);
    assert!(matches!(store.cancel("unknown").await.unwrap().0, Cancelled::Unknown));
}

async fn an_unreadable_workflow_is_omitted_from_lists(store: impl TestStore) {
    seeded(&store).await;
    store
        .execute(
            r#"INSERT INTO workflows VALUES
            ('a', '{"name": 1}', 0), ('b', '{"name": 1}', 0), ('z', '{"name": 1}', 0)"#,
        )
        .await;
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.workflows(Page { limit: 1, after }).await.unwrap();
        pages.push(page.entries.iter().map(|it| it.name.clone()).collect::<String>());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["", "", "w", ""]);
    assert_eq!(store.workflows(ALL).await.unwrap().entries.len(), 1);
    assert!(matches!(store.workflow("a").await, Err(StoreError::Corrupt(_))));
}

async fn a_committed_result_stays(store: impl TestStore) {
    let run = running(&store).await;
    assert!(store.save_node(run.clone(), result(1)).await.unwrap());
    assert!(store.save_node(run.clone(), result(2)).await.unwrap(), "still the owner");
    let nodes = store.nodes(std::slice::from_ref(&run.id)).await.unwrap();
    assert_eq!(nodes[0].1.output, Some(json!(1)));
    store.finish(run.clone(), end(RunStatus::Success)).await.unwrap();
    let other = NodeRecord { id: "b".into(), ..result(3) };
    assert!(
        !store.save_node(run, other).await.unwrap(),
        "nothing is added to a run that has ended"
    );
}

async fn one_key_is_one_run(store: impl TestStore) {
    let mut run = seeded(&store).await;
    run.idempotency = Some(("key".into(), "print".into()));
    let first = create(&store, run.clone()).await;
    assert!(matches!(first, Created::New(_)));
    let mut again = NewRun { id: uuid::Uuid::now_v7().to_string(), ..run.clone() };
    let created = create(&store, again.clone()).await;
    assert!(matches!(created, Created::Existing(known) if known.id == run.id));
    again.idempotency = Some(("key".into(), "other".into()));
    assert!(matches!(create(&store, again).await, Created::Conflict));
    assert_eq!(store.runs("w", None, ALL).await.unwrap().entries.len(), 1);
}

async fn an_incident_starts_a_run_when_it_opens_lasts_and_is_resolved(store: impl TestStore) {
    seeded(&store).await;
    let alert = |firing, remind_after| AlertRequest {
        fingerprint: "f".into(),
        firing,
        run: NewRun::new("w", Trigger::GrafanaWebhook, serde_json::Map::new()),
        remind_after,
    };
    let admit = async |firing, remind| {
        let alert = alert(firing, Duration::from_millis(remind));
        store.admit_alert(alert, admission()).await.unwrap().unwrap()
    };
    assert!(matches!(admit(false, 1000).await, Admitted::Nothing));
    let Admitted::Started(first) = admit(true, 60_000).await else { panic!("it opened") };
    assert!(
        matches!(admit(true, 60_000).await, Admitted::Deduplicated(known) if known == first.id)
    );
    assert!(matches!(admit(true, 0).await, Admitted::Started(_)), "it still fires");
    assert!(matches!(admit(false, 60_000).await, Admitted::Started(_)), "it resolved");
    assert!(matches!(admit(false, 60_000).await, Admitted::Nothing), "again");
    assert_eq!(store.runs("w", None, ALL).await.unwrap().entries.len(), 3);
}

async fn ended_runs_and_old_incidents_are_deleted_in_batches(store: impl TestStore) {
    let open = running(&store).await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        let run = running(&store).await;
        store.save_node(run.clone(), result(1)).await.unwrap();
        store.request_approval(run.clone(), question(&run, later())).await.unwrap();
        store.finish(run.clone(), end(RunStatus::Success)).await.unwrap().unwrap();
        ended.push(run.id);
    }
    let alert = AlertRequest {
        fingerprint: "f".into(),
        firing: true,
        run: NewRun::new("w", Trigger::GrafanaWebhook, serde_json::Map::new()),
        remind_after: Duration::from_secs(60),
    };
    let admitted = store.admit_alert(alert, admission()).await.unwrap().unwrap();
    let Admitted::Started(pending) = admitted else { panic!("it opened") };
    assert_eq!(store.delete_ended(Timestamp(1), 2).await.unwrap(), 0);
    let mut deleted = Vec::new();
    for _ in 0..3 {
        deleted.push(store.delete_ended(later(), 2).await.unwrap());
    }
    assert_eq!(deleted, [3, 1, 0], "two runs and the incident, the third run, nothing");
    let left = store.runs("w", None, ALL).await.unwrap().entries;
    let left: Vec<_> = left.into_iter().map(|run| run.id).collect();
    assert_eq!(left, [pending.id, open.id]);
    assert!(store.nodes(&ended).await.unwrap().is_empty());
    assert!(store.approvals_of(&ended[0]).await.unwrap().is_empty());
}

async fn a_signature_is_new_once(store: impl TestStore) {
    assert!(store.remember_signature("s", later()).await.unwrap());
    assert!(!store.remember_signature("s", later()).await.unwrap());
    assert!(store.remember_signature("old", Timestamp(1)).await.unwrap());
    assert!(store.remember_signature("old", later()).await.unwrap(), "an expired one is forgotten");
}

async fn every_concurrent_write_gets_its_result(store: impl TestStore) {
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
            tokio::spawn(async move { store.create_run(run, admission()).await.is_ok() })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        stored += usize::from(task.await.unwrap());
    }
    assert_eq!(stored, 180);
    let first = store.runs("w", None, ALL).await.unwrap();
    let second = store.runs("w", None, Page { limit: 100, after: first.next }).await.unwrap();
    assert_eq!((first.entries.len(), second.entries.len(), second.next), (100, 80, None));
    store.check().await.unwrap();
    store.close().await;
    assert!(matches!(store.create_run(run, admission()).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn the_files_are_private_and_complete_after_a_close() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    let store = SqliteStore::open(file.to_str().unwrap()).await.unwrap();
    running(&store).await;
    // A reader is open.
    store.workflow("w").await.unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    assert_eq!(files().count(), 3, "the database, its log and its index");
    for entry in files() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    store.close().await;
    // The file alone is a complete copy.
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join("y.db");
    std::fs::copy(&file, &copied).unwrap();
    assert!(files().all(|entry| entry.path() == file || entry.metadata().unwrap().len() == 0));
    let store = SqliteStore::open(copied.to_str().unwrap()).await.unwrap();
    assert_eq!(store.runs("w", None, ALL).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_database_that_becomes_read_only_is_detected_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("x.db").to_str().unwrap()).await.unwrap();
    let run = seeded(&store).await;
    sqlx::query("PRAGMA query_only = ON").execute(store.writing_pool()).await.unwrap();
    assert!(matches!(
        store.create_run(run.clone(), admission()).await,
        Err(StoreError::Database(_))
    ));
    assert!(store.check().await.is_err(), "degraded");
    assert!(store.workflow("w").await.unwrap().is_some(), "reads continue");
    sqlx::query("PRAGMA query_only = OFF").execute(store.writing_pool()).await.unwrap();
    store.check().await.unwrap();
    assert!(matches!(create(&store, run).await, Created::New(_)));
}
