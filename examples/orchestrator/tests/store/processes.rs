//! PostgreSQL alone: commits whose response is lost, and several stores on one database.

use crate::{admission, create, end, lapsed, later, owner, question, running, seeded};
use hub_otel_tests::poll;
use hub_otel_tests::postgres::Cluster;
use hub_otel_tests::proxy::{Link, Proxy};
use orchestrator::domain::{NewRun, RunStatus};
use orchestrator::store::postgres::PostgresStore;
use orchestrator::store::{
    Admission, AlertRequest, ApprovalStore as _, Created, IncidentStore as _, LeaseStore as _,
    RunStore as _, StoreError,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Executes a function at the commit of every change of a run.
macro_rules! at_commit {
    ($statement:literal) => {
        concat!(
            "CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ",
            $statement,
            "; RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON workflow_runs \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()"
        )
    };
}

#[tokio::test]
async fn a_commit_whose_response_is_lost_is_known_once_the_database_responds() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.create_database().await;
    let direct = PostgresStore::open(&url).await.unwrap();
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, cluster.port()));
    let proxy = Proxy::start(server);
    let url = url.replace(&server.to_string(), &proxy.address().to_string());
    let store = PostgresStore::open(&url).await.unwrap();
    let run = running(&store).await;
    sqlx::raw_sql(at_commit!("PERFORM pg_sleep(1)")).execute(direct.pool()).await.unwrap();
    let finish = tokio::spawn({
        let (store, run) = (store.clone(), run.clone());
        async move { store.finish(run, end(RunStatus::Success)).await }
    });
    poll::until_async(TIMEOUT, async || {
        let commits = "SELECT count(*) FROM pg_stat_activity \
                       WHERE query = 'COMMIT' AND state = 'active'";
        let commits: i64 = sqlx::query_scalar(commits).fetch_one(direct.pool()).await.unwrap();
        commits == 1
    })
    .await;
    proxy.set(Link::Mute);
    poll::until_async(TIMEOUT, async || {
        direct.run(&run.id).await.unwrap().unwrap().status == RunStatus::Success
    })
    .await;
    assert!(!finish.is_finished());
    proxy.reset_connections();
    proxy.set(Link::Forward);
    assert!(finish.await.unwrap().unwrap().is_some(), "the caller counts the end");
    assert!(store.finish(run, end(RunStatus::Success)).await.unwrap().is_none(), "and only once");
}

#[tokio::test]
async fn a_commit_that_fails_is_an_error_and_can_be_repeated() {
    let Some(store) = crate::fixture::postgres().await else { return };
    let run = running(&store).await;
    sqlx::raw_sql(at_commit!("RAISE 'the disk is full' USING ERRCODE = '53100'"))
        .execute(store.pool())
        .await
        .unwrap();
    let finished = store.finish(run.clone(), end(RunStatus::Success)).await;
    assert!(matches!(finished, Err(StoreError::Database(_))), "{finished:?}");
    sqlx::raw_sql("DROP TRIGGER at_commit ON workflow_runs").execute(store.pool()).await.unwrap();
    assert!(store.finish(run, end(RunStatus::Success)).await.unwrap().is_some());
}

/// Several processes: each has its own pool.
async fn stores(number: usize) -> Option<Vec<PostgresStore>> {
    let url = Cluster::shared()?.create_database().await;
    let mut stores = Vec::new();
    for _ in 0..number {
        stores.push(PostgresStore::open(&url).await.unwrap());
    }
    Some(stores)
}

/// Waits for the results of tasks.
async fn all<T: 'static>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn orphans_are_taken_over_by_one_of_several_processes() {
    let Some(stores) = stores(4).await else { return };
    for _ in 0..20 {
        running(&stores[0]).await;
    }
    stores[0].renew(&lapsed("me")).await.unwrap();
    let take = |(index, store): (usize, &PostgresStore)| {
        let (store, owner) = (store.clone(), owner(&format!("process {index}")));
        tokio::spawn(async move { store.take_over(&owner, 3).await.unwrap().runs.len() })
    };
    let taken = all(stores.iter().enumerate().map(take).collect()).await;
    assert_eq!(taken.iter().sum::<usize>(), 20, "{taken:?}");
    let mut owned = 0;
    for index in 0..4 {
        owned += stores[0].owned(&format!("process {index}")).await.unwrap().len();
    }
    assert_eq!(owned, 20);
}

#[tokio::test]
async fn a_request_that_several_processes_receive_is_one_run_one_decision_and_one_incident() {
    let Some(stores) = stores(4).await else { return };
    let mut new = seeded(&stores[0]).await;
    new.idempotency = Some(("key".into(), "print".into()));
    let calls = || stores.iter().cycle().take(24).cloned();
    let fresh = move || NewRun { id: uuid::Uuid::now_v7().to_string(), ..new.clone() };
    let created = calls().map(|store| {
        let new = fresh();
        tokio::spawn(async move { matches!(create(&store, new).await, Created::New(_)) })
    });
    let created = all(created.collect()).await;
    assert_eq!(created.iter().filter(|new| **new).count(), 1);

    let run = running(&stores[0]).await;
    let requested = stores[0].request_approval(run.clone(), question(&run, later())).await.unwrap();
    let (id, state) = (requested.unwrap().id, run.clone());
    // The run is suspended while it is decided: it must neither wait forever nor continue twice.
    let suspended = tokio::spawn({
        let store = stores[1].clone();
        async move { store.suspend(state, None, 0).await.unwrap() }
    });
    let decided = calls().map(|store| {
        let id = id.clone();
        tokio::spawn(async move {
            let decided = store.decide(&id, crate::yes(), Some(owner("me"))).await.unwrap();
            matches!(decided, orchestrator::store::Decided::Now(_))
        })
    });
    let decided = all(decided.collect()).await;
    assert_eq!(decided.iter().filter(|now| **now).count(), 1);
    suspended.await.unwrap();
    let status = stores[0].run(&run.id).await.unwrap().unwrap().status;
    assert_ne!(status, RunStatus::WaitingApproval, "the decision is applied");

    let admitted = calls().map(|store| {
        let alert = AlertRequest {
            fingerprint: "f".into(),
            firing: true,
            run: NewRun::new("w", orchestrator::domain::Trigger::Event, Default::default()),
            remind_after: TIMEOUT,
        };
        tokio::spawn(async move {
            let admitted = store.admit_alert(alert, admission()).await.unwrap();
            matches!(admitted, Some(orchestrator::store::Admitted::Started(_)))
        })
    });
    let admitted = all(admitted.collect()).await;
    assert_eq!(admitted.iter().filter(|started| **started).count(), 1);
}

#[tokio::test]
async fn the_limit_of_an_owner_holds_for_stores_at_the_same_time() {
    let Some(stores) = stores(3).await else { return };
    let new = seeded(&stores[0]).await;
    let created = stores.iter().cycle().take(60).map(|store| {
        let run = NewRun { id: uuid::Uuid::now_v7().to_string(), ..new.clone() };
        let admission = Admission { max_runs: 7, ..admission() };
        let store = store.clone();
        tokio::spawn(async move { store.create_run(run, admission).await.unwrap().is_some() })
    });
    let created = all(created.collect()).await;
    assert_eq!(created.iter().filter(|created| **created).count(), 7);
}
