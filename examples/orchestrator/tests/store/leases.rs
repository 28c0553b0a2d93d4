//! Leases: one owner per run, takeover after the expiry, admission.

use crate::fixture::TestStore;
use crate::{ALL, create, end, lapsed, later, owner, question, result, running, seeded};
use orchestrator::domain::{Decision, NewRun, Run, RunState, RunStatus};
use orchestrator::store::{Admission, CrashLooped, Created, Store, StoredBacklog};

async fn restart(store: &impl Store, next: &str, run: &Run) -> RunState {
    assert_eq!(run.owner.as_deref(), Some(next));
    store.start(run.state(), None).await.unwrap().unwrap().state()
}

pub(crate) async fn only_an_expired_lease_is_taken_over(store: impl TestStore) {
    let run = running(&store).await;
    assert!(store.take_over(&owner("me"), 3).await.unwrap().runs.is_empty(), "its own run");
    assert!(store.take_over(&owner("other"), 3).await.unwrap().runs.is_empty(), "a living run");
    assert!(store.owned("me").await.unwrap().contains(&run.id));
    store.renew(&lapsed("me")).await.unwrap();
    let recovered = store.take_over(&owner("other"), 3).await.unwrap();
    assert_eq!((recovered.runs.len(), recovered.runs[0].crashes), (1, 1));
    assert!(!store.save_node(run.clone(), result(1)).await.unwrap(), "it has another owner");
    assert!(store.finish(run.clone(), end(RunStatus::Success)).await.unwrap().is_none());
    assert!(store.owned("me").await.unwrap().is_empty());
    assert!(store.owned("other").await.unwrap().contains(&run.id));
}

pub(crate) async fn three_crashes_alone_are_a_crash_loop(store: impl TestStore) {
    let mut run = running(&store).await;
    store.renew(&lapsed("me")).await.unwrap();
    for crashes in 1..3 {
        let name = format!("owner {crashes}");
        let recovered = store.take_over(&lapsed(&name), 3).await.unwrap();
        assert_eq!((recovered.runs.len(), recovered.runs[0].crashes), (1, crashes));
        run = restart(&store, &name, &recovered.runs[0]).await;
    }
    store.request_approval(run.clone(), question(&run, later())).await.unwrap().unwrap();
    let recovered = store.take_over(&owner("the last"), 3).await.unwrap();
    assert_eq!((recovered.runs.len(), recovered.crash_looped.len()), (0, 1));
    let CrashLooped { run: failed, cancelled } = &recovered.crash_looped[0];
    assert_eq!(failed.id, run.id);
    let decisions: Vec<_> = cancelled.iter().map(|approval| approval.decision).collect();
    assert_eq!(decisions, [Decision::Cancelled], "the caller counts the decision");
    let run = store.run(&run.id).await.unwrap().unwrap();
    assert_eq!((run.status, run.error_type.as_deref()), (RunStatus::Failed, Some("crash_loop")));
}

pub(crate) async fn a_crash_of_several_runs_blames_none(store: impl TestStore) {
    running(&store).await;
    running(&store).await;
    store.renew(&lapsed("me")).await.unwrap();
    for crashes in 1..6 {
        let name = format!("owner {crashes}");
        let recovered = store.take_over(&lapsed(&name), 3).await.unwrap();
        assert_eq!((recovered.runs.len(), recovered.crash_looped.len()), (2, 0));
        for run in &recovered.runs {
            assert_eq!((run.crashes, run.crashes_alone), (crashes, 0));
            restart(&store, &name, run).await;
        }
    }
}

pub(crate) async fn an_owner_has_a_maximum_number_of_runs(store: impl TestStore) {
    let run = seeded(&store).await;
    let admission = Admission { owner: owner("me"), max_runs: 5 };
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (store, admission) = (store.clone(), admission.clone());
            let run = NewRun { id: uuid::Uuid::now_v7().to_string(), ..run.clone() };
            tokio::spawn(async move { store.create_run(run, admission).await.unwrap() })
        })
        .collect();
    let mut admitted = Vec::new();
    for task in tasks {
        if let Some(Created::New(run)) = task.await.unwrap() {
            admitted.push(run);
        }
    }
    assert_eq!(admitted.len(), 5);
    assert_eq!(
        store.runs("w", None, ALL).await.unwrap().entries.len(),
        5,
        "nothing else is stored"
    );
    let other = Admission { owner: owner("other"), max_runs: 5 };
    assert!(store.create_run(run.clone(), other).await.unwrap().is_some());
    store.cancel(&admitted[0].id).await.unwrap();
    let again = || NewRun { id: uuid::Uuid::now_v7().to_string(), ..run.clone() };
    assert!(store.create_run(again(), admission.clone()).await.unwrap().is_some(), "a free slot");
    assert!(store.create_run(again(), admission).await.unwrap().is_none());
}

pub(crate) async fn a_released_lease_is_not_a_crash(store: impl TestStore) {
    let run = running(&store).await;
    store.release("me").await.unwrap();
    let recovered = store.take_over(&owner("other"), 3).await.unwrap();
    assert_eq!((recovered.runs.len(), recovered.runs[0].crashes), (1, 0));
    assert!(store.finish(run, end(RunStatus::Success)).await.unwrap().is_none());
}

pub(crate) async fn an_expired_lease_is_taken_over_at_once(store: impl TestStore) {
    let run = running(&store).await;
    store.renew(&owner("other")).await.unwrap();
    store.expire_leases(&["me".to_owned(), "unknown".to_owned()]).await.unwrap();
    let mut leases = store.leases().await.unwrap();
    leases.sort_by(|one, other| one.owner.cmp(&other.owner));
    let expired: Vec<_> = leases.iter().map(|lease| (&*lease.owner, lease.expired)).collect();
    assert_eq!(expired, [("me", true), ("other", false)]);
    let recovered = store.take_over(&owner("other"), 3).await.unwrap();
    assert_eq!((&recovered.runs[0].id, recovered.runs[0].crashes), (&run.id, 1));
}

pub(crate) async fn a_pending_run_is_claimed_whatever_owner_it_has(store: impl TestStore) {
    let run = seeded(&store).await;
    let admission = Admission { owner: owner("accepts"), max_runs: 1 };
    let created = store.create_run(run.clone(), admission.clone()).await.unwrap().unwrap();
    let Created::New(before) = created else { panic!("{created:?}") };
    assert!(store.claim(&before.id, 1, &owner("me")).await.unwrap().is_none(), "another segment");
    let claimed = store.claim(&before.id, 0, &owner("me")).await.unwrap().unwrap();
    assert_eq!((claimed.owner.as_deref(), claimed.status), (Some("me"), RunStatus::Pending));
    assert!(store.start(before.state(), None).await.unwrap().is_none(), "the claim came first");
    let again = store.claim(&before.id, 0, &owner("me")).await.unwrap().unwrap();
    assert!(store.start(claimed.state(), None).await.unwrap().is_none(), "the next claim as well");
    let started = store.start(again.state(), None).await.unwrap().unwrap();
    assert!(store.claim(&before.id, 0, &owner("late")).await.unwrap().is_none(), "it is RUNNING");
    assert!(store.finish(started.state(), end(RunStatus::Success)).await.unwrap().is_some());
    assert!(store.claim(&before.id, 0, &owner("late")).await.unwrap().is_none(), "it has ended");
    // The claim gave the slot of the accepting owner back.
    let next = NewRun { id: uuid::Uuid::now_v7().to_string(), ..run };
    assert!(store.create_run(next, admission).await.unwrap().is_some());
}

pub(crate) async fn a_run_is_in_the_backlog_until_its_first_start(store: impl TestStore) {
    let run = seeded(&store).await;
    let again = NewRun { id: uuid::Uuid::now_v7().to_string(), ..run.clone() };
    let Created::New(first) = create(&store, run).await else { panic!("no key") };
    let Created::New(second) = create(&store, again).await else { panic!("no key") };
    let backlog = async || store.run_backlog().await.unwrap();
    let waiting = |pending, oldest| [StoredBacklog { workflow: "w".into(), pending, oldest }];
    assert_eq!(backlog().await, waiting(2, first.created_at));
    let started = store.start(first.state(), None).await.unwrap().unwrap();
    assert_eq!(backlog().await, waiting(1, second.created_at));
    assert!(store.hand_back(started.state(), None, 0).await.unwrap());
    assert_eq!(backlog().await, waiting(1, second.created_at), "the other one has started before");
    store.release("me").await.unwrap();
    assert_eq!(backlog().await, waiting(1, second.created_at), "without an owner");
    let recovered = store.take_over(&owner("other"), 3).await.unwrap();
    assert_eq!(recovered.runs.len(), 2);
    assert_eq!(backlog().await, waiting(1, second.created_at), "with another owner");
    for run in recovered.runs {
        store.start(run.state(), None).await.unwrap().unwrap();
    }
    assert!(backlog().await.is_empty());
}
