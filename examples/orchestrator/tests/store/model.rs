//! Model check: any order of triggers, decisions, cancellations, retries, crashes, expired leases
//! and shutdowns, by several processes on one store.
//!
//! After every step each ended run is counted once, each owned run has exactly one task of its
//! owner, and the number of runs of an owner is that of its rows.

use crate::fixture::{self, TestStore};
use crate::{end, later, owner, question, result, seeded, yes};
use orchestrator::clock::Timestamp;
use orchestrator::domain::{
    Approval, Decision, NewRun, NodeRecord, Run, RunState, RunStatus, Trigger,
};
use orchestrator::store::{
    Admission, Cancelled, Created, Decided, Effect, Owner, Paused, Resolution, StoredDecision,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::HashMap;

const PROCESSES: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Trigger {
        process: usize,
    },
    Start {
        task: usize,
    },
    Save {
        task: usize,
        node: usize,
    },
    Ask {
        task: usize,
        expires: bool,
    },
    Suspend {
        task: usize,
    },
    Finish {
        task: usize,
        success: bool,
    },
    Decide {
        process: usize,
        approval: usize,
        approve: bool,
    },
    Expire,
    Cancel {
        run: usize,
    },
    Retry {
        process: usize,
        run: usize,
    },
    TakeOver {
        process: usize,
    },
    /// The lease expires while the process is alive.
    Lapse {
        process: usize,
    },
    /// The process is killed, and another one starts in its place.
    Crash {
        process: usize,
    },
    /// The process shuts down, and another one starts in its place.
    Drain {
        process: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let process = || 0..PROCESSES;
    let any_index = || 0_usize..64;
    let step = prop_oneof![
        4 => process().prop_map(|process| Step::Trigger { process }),
        8 => any_index().prop_map(|task| Step::Start { task }),
        4 => (any_index(), 0_usize..2).prop_map(|(task, node)| Step::Save { task, node }),
        5 => (any_index(), prop::bool::weighted(0.2))
            .prop_map(|(task, expires)| Step::Ask { task, expires }),
        5 => any_index().prop_map(|task| Step::Suspend { task }),
        4 => (any_index(), any::<bool>()).prop_map(|(task, success)| Step::Finish { task, success }),
        6 => (process(), any_index(), prop::bool::weighted(0.8)).prop_map(
            |(process, approval, approve)| Step::Decide { process, approval, approve }
        ),
        1 => Just(Step::Expire),
        3 => any_index().prop_map(|run| Step::Cancel { run }),
        2 => (process(), any_index()).prop_map(|(process, run)| Step::Retry { process, run }),
        4 => process().prop_map(|process| Step::TakeOver { process }),
        2 => process().prop_map(|process| Step::Lapse { process }),
        1 => process().prop_map(|process| Step::Crash { process }),
        1 => process().prop_map(|process| Step::Drain { process }),
    ];
    prop::collection::vec(step, 1..80)
}

/// A launched segment: the state that it holds, and the process that executes it.
struct Task {
    process: String,
    state: RunState,
}

struct Model<S> {
    store: S,
    processes: Vec<String>,
    starts: usize,
    tasks: Vec<Task>,
    runs: Vec<String>,
    approvals: Vec<String>,
    ends: HashMap<String, usize>,
}

impl<S: TestStore> Model<S> {
    async fn new(store: S) -> Self {
        seeded(&store).await;
        let processes = (0..PROCESSES).map(|index| format!("process {index}")).collect();
        let (tasks, runs, approvals) = Default::default();
        Self { store, processes, starts: 0, tasks, runs, approvals, ends: HashMap::new() }
    }

    fn owner(&self, process: usize) -> Owner {
        owner(&self.processes[process])
    }

    fn launch(&mut self, process: usize, run: &Run) {
        let process = self.processes[process].clone();
        self.tasks.push(Task { process, state: run.state() });
    }

    fn count(&mut self, run: &str) {
        *self.ends.entry(run.to_owned()).or_default() += 1;
    }

    fn apply(&mut self, process: usize, decision: &StoredDecision) {
        match &decision.effect {
            Effect::Continued(run) => self.launch(process, run),
            Effect::Ended(run) => self.count(&run.id),
            Effect::InFlight(_) | Effect::Unchanged(_) => {}
        }
    }

    async fn trigger(&mut self, process: usize, retry_of: Option<&str>) {
        let mut run = NewRun::new("w", Trigger::Manual, Default::default());
        if let Some(id) = retry_of {
            run.idempotency = Some((format!("retry {id}"), id.to_owned()));
        }
        let admission = Admission { owner: self.owner(process), max_runs: 6 };
        if let Some(Created::New(run)) = self.store.create_run(run, admission).await.unwrap() {
            self.runs.push(run.id.clone());
            self.launch(process, &run);
        }
    }

    /// Removes a task, which has ended or is replaced.
    fn take(&mut self, task: usize) -> Option<Task> {
        if self.tasks.is_empty() {
            return None;
        }
        let index = task % self.tasks.len();
        Some(self.tasks.swap_remove(index))
    }

    fn replace(&mut self, process: usize) {
        let name = self.processes[process].clone();
        self.tasks.retain(|task| task.process != name);
        self.starts += 1;
        self.processes[process] = format!("process {process}, start {}", self.starts);
    }

    async fn lapse(&self, process: usize) {
        let lapsed = Owner { lease: std::time::Duration::ZERO, ..self.owner(process) };
        self.store.renew(&lapsed).await.unwrap();
    }

    async fn step(&mut self, step: Step) {
        let store = self.store.clone();
        match step {
            Step::Trigger { process } => self.trigger(process, None).await,
            Step::Start { task } => {
                let Some(task) = self.take(task) else { return };
                // A task that was started already is not started again.
                let state = match task.state.status {
                    RunStatus::Pending => store.start(task.state, None).await.unwrap(),
                    _ => return self.tasks.push(task),
                };
                if let Some(run) = state {
                    self.tasks.push(Task { state: run.state(), ..task });
                }
            }
            Step::Save { task, node } => {
                let Some(task) = self.take(task) else { return };
                let record = NodeRecord { id: format!("n{node}"), ..result(1) };
                let saved = store.save_node(task.state.clone(), record).await.unwrap();
                if saved || task.state.status == RunStatus::Pending {
                    self.tasks.push(task);
                }
            }
            Step::Ask { task, expires } => self.request_approvals(task, expires).await,
            Step::Suspend { task } => {
                let Some(task) = self.take(task) else { return };
                let approvals = store.approvals_of(&task.state.id).await.unwrap();
                let waits = approvals.iter().any(|it| it.decision == Decision::Pending);
                // A segment suspends only for an approval.
                if task.state.status == RunStatus::Pending || !waits {
                    return self.tasks.push(task);
                }
                match store.suspend(task.state.clone(), None, 1).await.unwrap() {
                    Paused::Decided => self.tasks.push(task),
                    Paused::Now | Paused::Lost => {}
                }
            }
            Step::Finish { task, success } => {
                let Some(task) = self.take(task) else { return };
                if task.state.status == RunStatus::Pending {
                    return self.tasks.push(task);
                }
                let status = if success { RunStatus::Success } else { RunStatus::Failed };
                let id = task.state.id.clone();
                if store.finish(task.state, end(status)).await.unwrap().is_some() {
                    self.count(&id);
                }
            }
            Step::Decide { process, approval, approve } => {
                if self.approvals.is_empty() {
                    return;
                }
                let id = &self.approvals[approval % self.approvals.len()];
                let decision = if approve { yes().decision } else { Decision::Rejected };
                let resolution = Resolution { decision, ..yes() };
                let owner = Some(self.owner(process));
                if let Decided::Now(decision) = store.decide(id, resolution, owner).await.unwrap() {
                    self.apply(process, &decision);
                }
            }
            Step::Expire => {
                for decision in store.expire().await.unwrap() {
                    self.apply(0, &decision);
                }
            }
            Step::Cancel { run } => {
                if self.runs.is_empty() {
                    return;
                }
                let id = self.runs[run % self.runs.len()].clone();
                if let (Cancelled::Now(run), _) = store.cancel(&id).await.unwrap() {
                    self.count(&run.id);
                }
            }
            Step::Retry { process, run } => {
                if self.runs.is_empty() {
                    return;
                }
                let id = self.runs[run % self.runs.len()].clone();
                let status = store.run(&id).await.unwrap().unwrap().status;
                if status.is_terminal() && status != RunStatus::Success {
                    self.trigger(process, Some(&id)).await;
                }
            }
            Step::TakeOver { process } => self.take_over(process).await,
            Step::Lapse { process } => self.lapse(process).await,
            Step::Crash { process } => {
                self.lapse(process).await;
                self.replace(process);
            }
            Step::Drain { process } => {
                store.release(&self.processes[process]).await.unwrap();
                self.replace(process);
            }
        }
    }

    async fn request_approvals(&mut self, task: usize, expires: bool) {
        let Some(task) = self.take(task) else { return };
        let at = if expires { Timestamp::now() } else { later() };
        let mut owned = true;
        for node in ["a", "b"] {
            let approval = Approval { node_id: node.into(), ..question(&task.state, at) };
            let stored = self.store.request_approval(task.state.clone(), approval).await.unwrap();
            owned &= stored.is_some();
            self.approvals.extend(stored.map(|approval| approval.id));
        }
        if owned || task.state.status == RunStatus::Pending {
            self.tasks.push(task);
        }
    }

    async fn take_over(&mut self, process: usize) {
        let recovered = self.store.take_over(&self.owner(process), 3).await.unwrap();
        for looped in &recovered.crash_looped {
            self.count(&looped.run.id);
        }
        for run in &recovered.runs {
            self.launch(process, run);
        }
    }

    async fn check(&self) {
        for id in &self.runs {
            let run = self.store.run(id).await.unwrap().unwrap();
            let ends = self.ends.get(id).copied().unwrap_or_default();
            assert_eq!(ends, usize::from(run.status.is_terminal()), "ends of {run:?}");
            let tasks: Vec<_> =
                self.tasks.iter().filter(|task| task.state == run.state()).collect();
            let in_flight = !run.status.is_terminal() && run.status != RunStatus::WaitingApproval;
            let alive = run.owner.as_ref().is_some_and(|owner| self.processes.contains(owner));
            assert_eq!(tasks.len(), usize::from(in_flight && alive), "tasks of {run:?}");
            if let Some(task) = tasks.first() {
                assert_eq!(run.owner.as_deref(), Some(&*task.process));
            }
        }
        let wrong = self
            .store
            .number(
                "SELECT count(*) FROM owners WHERE runs <> \
                 (SELECT count(*) FROM workflow_runs WHERE workflow_runs.owner = owners.id)",
            )
            .await;
        assert_eq!(wrong, 0, "the count of an owner");
    }

    /// Ends every run in a last process.
    async fn complete(&mut self) {
        for process in 0..PROCESSES {
            self.lapse(process).await;
            self.replace(process);
        }
        self.take_over(0).await;
        for approval in 0..self.approvals.len() {
            self.step(Step::Decide { process: 0, approval, approve: true }).await;
        }
        self.step(Step::Expire).await;
        while !self.tasks.is_empty() {
            // The last task: `take` moves it nowhere.
            let task = self.tasks.len() - 1;
            let started = self.tasks[task].state.status == RunStatus::Running;
            let step =
                if started { Step::Finish { task, success: true } } else { Step::Start { task } };
            self.step(step).await;
        }
        self.check().await;
        for id in &self.runs {
            let run = self.store.run(id).await.unwrap().unwrap();
            assert!(run.status.is_terminal(), "{run:?}");
        }
        self.store.close().await;
    }
}

/// Executes random steps on new stores.
fn check<S: TestStore>(cases: u32, open: impl AsyncFn() -> Option<S>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let done = TestRunner::new(config).run(&steps(), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let Some(store) = open().await else { return };
            let mut model = Model::new(store).await;
            for step in steps {
                model.step(step).await;
                model.check().await;
            }
            model.complete().await;
        });
        Ok(())
    });
    if let Err(error) = done {
        panic!("{error}");
    }
}

mod memory {
    #[test]
    fn rows_equal_counted_ends_in_every_order() {
        super::check(128, async || Some(super::fixture::memory().await));
    }
}

mod postgres {
    #[test]
    fn rows_equal_counted_ends_in_every_order() {
        super::check(24, super::fixture::postgres);
    }
}
