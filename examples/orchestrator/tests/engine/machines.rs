//! Three processes on one PostgreSQL with the engine DBOS: kill -9 under load, a partition, a
//! rolling restart. The ledger of the run ends is read from the log lines of all processes, also of
//! the killed ones. `just machines` runs the long variants and prints the figures.

use crate::executions::{Executions, logging_node};
use crate::requests::Requests;
use crate::server::{Home, Server, TIMEOUT, fault, is_terminal, with_approval};
use hub_otel_tests::poll;
use hub_otel_tests::postgres::Cluster;
use hub_otel_tests::proxy::{Link, Proxy};
use orchestrator::clock::Timestamp;
use serde_json::json;
use sqlx::{Connection as _, FromRow, PgConnection};
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A row of a run, as far as it is checked.
#[derive(Debug, FromRow)]
struct Row {
    id: String,
    status: String,
    error_type: Option<String>,
    crashes: i64,
    finished_at: Option<i64>,
}

fn query<T: Send + 'static>(home: &Home, read: impl AsyncFnOnce(&mut PgConnection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(home.database_url()).await.unwrap();
        let result = read(&mut connection).await;
        connection.close().await.unwrap();
        result
    })
}

fn rows(home: &Home) -> Vec<Row> {
    query(home, async |connection| {
        sqlx::query_as("SELECT * FROM workflow_runs").fetch_all(connection).await.unwrap()
    })
}

fn count(home: &Home, sql: &'static str) -> i64 {
    query(home, async |connection| sqlx::query_scalar(sql).fetch_one(connection).await.unwrap())
}

const OPEN: &str = "SELECT count(*) FROM workflow_runs WHERE finished_at IS NULL";
const OPEN_EXECUTIONS: &str =
    "SELECT count(*) FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED')";

/// The processes, living and ended.
struct Fleet {
    arguments: Vec<&'static str>,
    living: Mutex<Vec<Arc<Server>>>,
    ended: Mutex<Vec<Arc<Server>>>,
    requests: AtomicU64,
}

impl Fleet {
    fn start(homes: &[&Home], arguments: &[&'static str]) -> Self {
        let living = homes.iter().map(|home| Arc::new(home.serve(None, arguments))).collect();
        let fleet = Self {
            arguments: arguments.into(),
            living: Mutex::new(living),
            ended: Mutex::default(),
            requests: AtomicU64::new(0),
        };
        create_workflows(&fleet.living.lock().unwrap()[0]);
        fleet
    }

    fn add(&self, home: &Home) {
        let server = home.serve(None, &self.arguments);
        self.living.lock().unwrap().push(Arc::new(server));
    }

    fn remove(&self, index: u64) -> Arc<Server> {
        let mut living = self.living.lock().unwrap();
        let index = index as usize % living.len();
        let server = living.remove(index);
        self.ended.lock().unwrap().push(Arc::clone(&server));
        server
    }

    /// Triggers a run of one workflow after another. Returns its id if it was accepted.
    fn trigger(&self, round: usize) -> Option<String> {
        self.trigger_run(["chain", "gated", "chain", "slow"][round % 4])
    }

    fn all(&self) -> Vec<Arc<Server>> {
        let (living, ended) = (self.living.lock().unwrap(), self.ended.lock().unwrap());
        living.iter().chain(ended.iter()).map(Arc::clone).collect()
    }

    /// Number of ends by run, from the log lines of all processes.
    fn ends(&self) -> HashMap<String, u64> {
        let mut ends = HashMap::new();
        for server in self.all() {
            for id in logged_ends(&server) {
                *ends.entry(id).or_insert(0) += 1;
            }
        }
        ends
    }

    /// Sum of the counters of the living processes.
    fn counted(&self) -> usize {
        let living = self.living.lock().unwrap();
        living.iter().map(|server| server.metric("workflow_runs_total", &[]) as usize).sum()
    }

    /// The executions of nodes that the processes have logged.
    fn executions(&self) -> Executions {
        let mut found = Executions::default();
        self.all().iter().for_each(|server| found.read(server));
        found
    }
}

impl Requests for Fleet {
    /// Returns the URL of one process after another.
    fn url(&self) -> String {
        let living = self.living.lock().unwrap();
        let turn = self.requests.fetch_add(1, Ordering::Relaxed) as usize;
        living[turn % living.len()].url.clone()
    }
}

fn logged_ends(server: &Server) -> Vec<String> {
    let log = server.process.stderr();
    let ended = log.lines().filter(|line| line.contains("workflow.run.ended"));
    let id =
        |line: &str| Some(line.split_once("workflow.run.id=\"")?.1.split_once('"')?.0.to_owned());
    ended.filter_map(id).collect()
}

fn create_workflows(server: &Server) {
    let wait =
        |id: &str, after: &[&str], ms: u64| fault(id, "succeed", after, json!({"latency_ms": ms}));
    let gated = with_approval(logging_node("gated", &["first"]));
    server.create(
        "chain",
        json!([logging_node("a", &[]), wait("b", &["a"], 30), logging_node("c", &["b"])]),
    );
    server.create("gated", json!([logging_node("first", &[]), gated]));
    server.create(
        "slow",
        json!([logging_node("a", &[]), wait("b", &["a"], 400), logging_node("c", &["b"])]),
    );
}

/// Requests in threads until the channel is closed.
struct Load<'a> {
    fleet: &'a Fleet,
    /// Maximum number of runs.
    runs: usize,
    /// Minimum time between two triggers of a thread.
    pace: Duration,
    cancels: bool,
    accepted: Mutex<Vec<String>>,
}

impl Load<'_> {
    fn is_complete(&self) -> bool {
        self.accepted.lock().unwrap().len() >= self.runs
    }

    fn trigger(&self, stop: &Receiver<()>) {
        let mut round = 0;
        while !self.is_complete() && is_running(stop, self.pace) {
            if let Some(id) = self.fleet.trigger(round) {
                self.accepted.lock().unwrap().push(id);
            }
            round += 1;
        }
    }

    fn decide(&self, stop: &Receiver<()>) {
        while is_running(stop, Duration::from_millis(200)) {
            self.fleet.approve(100);
            if self.cancels {
                self.fleet.cancel();
            }
        }
    }

    /// Runs `work` under load, then waits until all runs have ended.
    fn during(&self, home: &Home, within: Duration, work: impl FnOnce()) {
        std::thread::scope(|scope| {
            let mut stops: Vec<Sender<()>> = Vec::new();
            for thread in 0..4 {
                let (stop, stopped) = channel();
                stops.push(stop);
                scope.spawn(move || match thread {
                    3 => self.decide(&stopped),
                    _ => self.trigger(&stopped),
                });
            }
            work();
            poll::until(within, || self.is_complete());
            poll::until(within, || count(home, OPEN) == 0);
            drop(stops);
        });
    }
}

/// Waits for the pause of a loop. Returns `false` if the channel is closed.
fn is_running(stop: &Receiver<()>, pause: Duration) -> bool {
    stop.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
}

/// Figures of a test, all of them asserted.
struct Figures {
    statuses: BTreeMap<String, u64>,
    /// Ends that were stored and not logged, because their process was killed in between.
    unseen: usize,
    repeated: usize,
    checked: usize,
    crashed: usize,
}

/// One fleet at a time: each needs a hundred connections, and the processors.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compares rows, log lines, counters and executions.
fn reconcile(home: &Home, fleet: &Fleet, accepted: &[String], kills: &[i64]) -> Figures {
    poll::until(TIMEOUT, || count(home, OPEN_EXECUTIONS) == 0);
    for server in fleet.living.lock().unwrap().iter() {
        poll::until(TIMEOUT, || server.get("/health")["activeRuns"] == 0);
        poll::until(TIMEOUT, || {
            server.metric("workflow_runs_total", &[]) as usize == logged_ends(server).len()
        });
        assert_eq!(server.metric("workflows_active", &[]), 0.0, "an orphan segment");
    }
    let rows: HashMap<String, Row> =
        rows(home).into_iter().map(|row| (row.id.clone(), row)).collect();
    let ends = fleet.ends();
    let mut statuses = BTreeMap::new();
    let mut unseen = 0;
    for row in rows.values() {
        assert!(is_terminal(&row.status), "{row:?}");
        assert_ne!(
            row.error_type.as_deref(),
            Some("crash_loop"),
            "a healthy run is blamed: {row:?}"
        );
        *statuses.entry(row.status.clone()).or_insert(0) += 1;
        match ends.get(&row.id) {
            Some(1) => {}
            Some(times) => panic!("{times} ends of {row:?}"),
            None => {
                let finished = row.finished_at.unwrap();
                let killed = kills.iter().any(|at| (finished - 100..finished + 3_000).contains(at));
                assert!(killed, "not counted, and no process was killed then: {row:?}");
                unseen += 1;
            }
        }
    }
    assert!(ends.keys().all(|id| rows.contains_key(id)), "an end of a run without a row");
    for id in accepted {
        assert!(rows.contains_key(id), "the accepted run {id} is lost");
    }
    let executed = fleet.executions();
    let committed: Vec<(String, String, i64)> = query(home, async |connection| {
        let select = "SELECT r.context ->> 'tag', n.node_id, n.finished_at FROM node_results AS n \
            JOIN workflow_runs AS r ON r.id = n.run_id \
            WHERE n.status = 'SUCCESS' AND n.agent = 'notifier'";
        sqlx::query_as(select).fetch_all(connection).await.unwrap()
    });
    let (checked, repeated) = executed.check(committed);
    let crashed = rows.values().filter(|row| row.crashes > 0).count();
    Figures { statuses, unseen, repeated, checked, crashed }
}

/// Kills a process every two seconds. In the last third of the time none is started again. Returns
/// the number of runs that survived a crash.
#[expect(clippy::print_stdout, reason = "the figures of docs/adr/0008")]
fn kills(runs: usize, time: Duration, pace: Duration) -> Option<usize> {
    let _alone = alone();
    let home = Home::dbos()?;
    let begun = Instant::now();
    let fleet = Fleet::start(&[&home, &home, &home], &["--lease", "5s", "--slots", "50"]);
    let load = Load { fleet: &fleet, runs, pace, cancels: true, accepted: Mutex::default() };
    let mut killed = Vec::new();
    load.during(&home, TIMEOUT * 10, || {
        // A fixed sequence of processes.
        let mut random = 7_u64;
        let under_load = Instant::now();
        let (_stop, ticks) = channel();
        while under_load.elapsed() < time && is_running(&ticks, Duration::from_secs(2)) {
            let last = under_load.elapsed() > time * 2 / 3;
            if fleet.living.lock().unwrap().len() > 1 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                killed.push(Timestamp::now().0);
                fleet.remove(random >> 33).process.kill();
            }
            if !last {
                fleet.add(&home);
            }
        }
    });
    let accepted = load.accepted.lock().unwrap();
    let figures = reconcile(&home, &fleet, &accepted, &killed);
    // Not within the arguments of `println!`, which keep the lock until the end of the statement.
    let left = fleet.living.lock().unwrap().len();
    println!(
        "{} kills in {:.0} s, {} processes left: {} runs {:?} = {} counted ends + {} of processes \
         killed before they counted; {} runs survived a crash; {} committed results checked, 0 \
         executed after their commit, {} executed again before it",
        killed.len(),
        begun.elapsed().as_secs_f64(),
        left,
        figures.statuses.values().sum::<u64>(),
        figures.statuses,
        fleet.ends().len(),
        figures.unseen,
        figures.crashed,
        figures.checked,
        figures.repeated,
    );
    assert!(figures.checked > 0, "too little load");
    Some(figures.crashed)
}

#[test]
fn kills_under_load_lose_no_run_and_count_each_end_once() {
    // About as long as the kills.
    kills(400, Duration::from_secs(12), Duration::from_millis(75));
}

#[test]
#[ignore = "takes minutes: `just machines`"]
fn ten_thousand_runs_survive_a_kill_every_two_seconds() {
    let survivors = kills(10_000, Duration::from_secs(120), Duration::from_millis(1));
    assert_ne!(survivors, Some(0), "too little load");
}

/// Cuts one of three processes off from the database while it executes runs.
#[expect(clippy::print_stdout, reason = "the figures of docs/adr/0008")]
fn partition(runs: usize, time: Duration, link: Link) {
    let _alone = alone();
    let Some(home) = Home::dbos() else { return };
    let port = Cluster::shared().unwrap().port();
    let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let direct = format!("127.0.0.1:{port}");
    let through = home.database_url().replace(&direct, &proxy.address().to_string());
    let cut_off = Home::on_dbos(through);
    let fleet = Fleet::start(&[&home, &home, &cut_off], &["--lease", "3s", "--slots", "50"]);
    let pace = Duration::from_millis(10);
    let load = Load { fleet: &fleet, runs, pace, cancels: true, accepted: Mutex::default() };
    let mut in_flight = 0;
    load.during(&home, TIMEOUT * 5, || {
        let (_stop, ticks) = channel();
        is_running(&ticks, Duration::from_secs(2));
        in_flight = execute_long_runs(&fleet);
        proxy.set(link);
        is_running(&ticks, time);
        proxy.set(Link::Forward);
        end_a_run(&fleet);
    });
    let accepted = load.accepted.lock().unwrap();
    let figures = reconcile(&home, &fleet, &accepted, &[]);
    let rows = figures.statuses.values().sum::<u64>();
    assert_eq!(fleet.counted() as u64, rows, "{:?}", figures.statuses);
    println!(
        "{} s without the database in one of three processes, with {in_flight} long runs in \
         flight: {rows} runs {:?} = counted ends; {} runs were taken over, {} logged steps \
         executed again",
        time.as_secs(),
        figures.statuses,
        figures.crashed,
        figures.repeated,
    );
    // One may have ended between the count and the cut.
    assert!(figures.crashed + 1 >= in_flight, "{} of {in_flight}", figures.crashed);
}

/// Triggers runs that last longer than a lease, until the last process executes several of them.
/// Returns their number.
fn execute_long_runs(fleet: &Fleet) -> usize {
    let processes = fleet.all();
    let (first, last) = (&processes[0], &processes[2]);
    let long =
        json!([logging_node("a", &[]), fault("b", "succeed", &["a"], json!({"latency_ms": 6000}))]);
    first.create("long", long);
    poll::until(TIMEOUT, || {
        // A process that has just started polls each second, and gets few of them.
        for _ in 0..5 {
            first.trigger("long", json!({"tag": uuid::Uuid::now_v7().to_string()}));
        }
        let executed = last.metric("workflows_active", &[("workflow_id", "long")]) as usize;
        (executed >= 3).then_some(executed)
    })
}

/// Triggers runs until the last process has executed one.
fn end_a_run(fleet: &Fleet) {
    let processes = fleet.all();
    let (first, last) = (&processes[0], &processes[2]);
    first.create("after", json!([logging_node("a", &[])]));
    poll::until(TIMEOUT, || {
        // Not accepted while a transaction of the process without replies keeps its locks.
        fleet.trigger_run("after");
        last.metric("workflow_runs_total", &[("workflow_id", "after")]) > 0.0
    });
}

#[test]
fn a_process_without_its_database_ends_no_run_twice() {
    partition(150, Duration::from_secs(8), Link::Stall);
}

#[test]
fn a_process_that_loses_the_replies_of_its_database_ends_no_run_twice() {
    partition(150, Duration::from_secs(8), Link::Mute);
}

#[test]
#[ignore = "takes minutes: `just machines`"]
fn half_a_minute_without_the_database_ends_no_run_twice() {
    partition(2_000, Duration::from_secs(30), Link::Stall);
}

#[test]
fn a_rolling_restart_under_load_loses_nothing_and_fails_nothing() {
    let _alone = alone();
    let Some(home) = Home::dbos() else { return };
    let arguments = ["--lease", "3s", "--slots", "50", "--drain-timeout", "300ms"];
    let fleet = Fleet::start(&[&home, &home, &home], &arguments);
    let pace = Duration::from_millis(20);
    let load = Load { fleet: &fleet, runs: 150, pace, cancels: false, accepted: Mutex::default() };
    load.during(&home, TIMEOUT * 2, || {
        for _ in 0..3 {
            fleet.add(&home);
            // The oldest one.
            let server = fleet.remove(0);
            server.process.terminate();
            poll::until(TIMEOUT, || server.process.stderr().contains("Shutdown complete"));
        }
    });
    let accepted = load.accepted.lock().unwrap();
    let figures = reconcile(&home, &fleet, &accepted, &[]);
    // No alert about runs or crashes fires then; observability/prometheus/tests has the others.
    assert_eq!(figures.statuses.keys().collect::<Vec<_>>(), ["SUCCESS"], "{:?}", figures.statuses);
    assert_eq!((figures.crashed, figures.unseen), (0, 0));
    println!("rolling restart: {:?}, {} steps executed again", figures.statuses, figures.repeated);
}
