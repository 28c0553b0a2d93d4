//! One segment of a run: from PENDING to a terminal status, an approval, or the hand-back at
//! shutdown. One `workflow.execute` span.

use super::execution::Steps;
use super::persist::{NotWritten, persist};
use super::progress::Progress;
use super::registry::{RunSignals, Stop};
use super::{Engine, EngineError, node, rendering, telemetry};
use crate::domain::{Approval, Decision, Node, NodeRecord, NodeStatus, Run, RunStatus, Workflow};
use crate::store::{self, End, Paused};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hub_otel::instrument_workflow;
use serde_json::Value;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use telemetry::{Failure, Outcome};

/// Executes a PENDING run.
#[instrument_workflow(
    id = run.workflow,
    run_id = run.id,
    trigger = run.trigger.as_str(),
    resume = telemetry::previous_segment(&run),
    status = telemetry::unit_status,
)]
pub(super) async fn execute(
    engine: Engine,
    run: Run,
    signals: Arc<RunSignals>,
) -> Result<Outcome, Failure> {
    // A process that stops drops its tasks. The run continues elsewhere.
    hub_otel::current().suspend_on_drop();
    let state = run.state();
    let fresh = run.started_at.is_none();
    let alone = run.crashes >= engine.inner.options.crash_limit;
    // The started run replaces it. Freed here because the segment can take long.
    drop(run);
    let mut permit = tokio::select! {
        permit = engine.inner.isolation.enter(alone) => permit,
        stop = signals.stopped() => return Ok(suspend_stopped(stop)),
    };
    let started =
        persist(&signals, || engine.inner.store.start(state.clone(), telemetry::current_segment()));
    match started.await {
        Ok(Some(run)) => {
            if fresh {
                telemetry::record_queue_wait(&run);
            }
            let run = Arc::new(run);
            let mut segment =
                Segment { engine: engine.clone(), run, fresh, signals, began: Instant::now() };
            tokio::select! {
                result = segment.execute_contained() => result,
                never = permit.share_later() => match never {},
            }
        }
        Ok(None) => Ok(suspend_stopped(Stop::Superseded)),
        Err(NotWritten::Stopped(stop)) => Ok(suspend_stopped(stop)),
        Err(NotWritten::Closed) => Ok(suspend_stopped(Stop::HandBack)),
    }
}

/// Ends a segment that does not end its run. Not counted.
fn suspend_stopped(stop: Stop) -> Outcome {
    telemetry::suspend(match stop {
        Stop::Superseded => "superseded",
        Stop::HandBack => "shutdown",
    });
    Outcome::Stopped
}

struct Segment {
    engine: Engine,
    /// The run as it was started.
    run: Arc<Run>,
    /// First segment of the run: the store has no node results or approvals.
    fresh: bool,
    signals: Arc<RunSignals>,
    began: Instant,
}

/// Result of a segment, before it is stored.
enum Verdict {
    Success,
    Failed(Failure),
    Rejected,
    /// All remaining nodes depend on pending approvals.
    Wait,
    Stopped(NotWritten),
}

impl From<NotWritten> for Verdict {
    fn from(error: NotWritten) -> Self {
        Self::Stopped(error)
    }
}

impl Segment {
    /// Executes the segment. A panic outside of an agent ends the run as FAILED: the run would
    /// otherwise stay RUNNING as long as this process renews its lease.
    async fn execute_contained(&mut self) -> Result<Outcome, Failure> {
        match AssertUnwindSafe(self.execute()).catch_unwind().await {
            Ok(result) => result,
            Err(_) => {
                let failure = Failure::new("panic", "the execution of the run panicked");
                let ended = self.finish(RunStatus::Failed, Err(failure)).await;
                ended.unwrap_or_else(|_| Ok(suspend_stopped(Stop::Superseded)))
            }
        }
    }

    async fn execute(&mut self) -> Result<Outcome, Failure> {
        let mut steps = None;
        loop {
            let verdict = self.drive(&mut steps).await;
            self.fresh = false;
            let ended = match verdict {
                Verdict::Success => self.finish(RunStatus::Success, Ok(Outcome::Success)).await,
                Verdict::Rejected => self.finish(RunStatus::Rejected, Ok(Outcome::Rejected)).await,
                Verdict::Failed(failure) if failure.timed_out => {
                    self.finish(RunStatus::TimedOut, Err(failure)).await
                }
                Verdict::Failed(failure) => self.finish(RunStatus::Failed, Err(failure)).await,
                Verdict::Wait => match self.suspend().await {
                    Ok(Paused::Now) => {
                        telemetry::suspend("approval");
                        return Ok(Outcome::Suspended);
                    }
                    Ok(Paused::Decided) => continue,
                    Ok(Paused::Lost) => Err(NotWritten::Stopped(Stop::Superseded)),
                    Err(error) => Err(error),
                },
                Verdict::Stopped(stop) => Err(stop),
            };
            return match ended {
                Ok(result) => result,
                Err(NotWritten::Stopped(Stop::HandBack)) => {
                    self.hand_back().await;
                    Ok(suspend_stopped(Stop::HandBack))
                }
                Err(NotWritten::Stopped(stop)) => Ok(suspend_stopped(stop)),
                // The lease expires, and another process takes over the run.
                Err(NotWritten::Closed) => Ok(suspend_stopped(Stop::HandBack)),
            };
        }
    }

    /// Ends the run. Returns `result`, which counts the run, if no other caller was first.
    async fn finish(
        &self,
        status: RunStatus,
        result: Result<Outcome, Failure>,
    ) -> Result<Result<Outcome, Failure>, NotWritten> {
        let failure = result.as_ref().err();
        let end = End {
            status,
            error_type: failure.map(|failure| failure.kind.clone().into_owned()),
            error: failure.map(|failure| failure.message.clone()),
            executed_ms: self.executed_ms(),
        };
        let store = &self.engine.inner.store;
        let finished =
            persist(&self.signals, || store.finish(self.run.state(), end.clone())).await?;
        let approvals = finished.ok_or(NotWritten::Stopped(Stop::Superseded))?;
        approvals.iter().for_each(|approval| telemetry::record_decision(approval, &self.run));
        Ok(result)
    }

    /// Calls agents until no node can start. Creates `steps` in the first round.
    async fn drive(&self, steps: &mut Option<Box<dyn Steps>>) -> Verdict {
        let state = persist(&self.signals, || async {
            let workflow = match self.engine.workflow(&self.run.workflow).await {
                Ok(workflow) => workflow,
                Err(EngineError::Store(error)) => return Err(error),
                Err(_) => return Ok(None),
            };
            let (nodes, approvals) =
                if self.fresh { Default::default() } else { self.load_results().await? };
            Ok(Some((workflow, nodes, approvals)))
        });
        let (workflow, nodes, approvals) = match state.await {
            Ok(Some(state)) => state,
            Ok(None) => {
                return Verdict::Failed(Failure::new(
                    "unknown_workflow",
                    "the workflow does not exist",
                ));
            }
            Err(error) => return error.into(),
        };
        let mut progress = Progress::new(&workflow, nodes, approvals);
        let create = || self.engine.inner.execution.steps(&self.engine, &self.run, &workflow);
        let steps = steps.get_or_insert_with(create);
        let left =
            workflow.timeout().saturating_sub(std::time::Duration::from_millis(self.executed_ms()));
        tokio::select! {
            biased;
            stop = self.signals.stopped() => Verdict::Stopped(NotWritten::Stopped(stop)),
            verdict = self.execute_nodes(&workflow, &mut progress, &mut **steps) => verdict,
            () = tokio::time::sleep(left) => {
                let limit = workflow.timeout().as_millis();
                Verdict::Failed(Failure::timed_out(format!("the run exceeded its timeout of {limit} ms")))
            }
        }
    }

    /// Loads the results of previous segments.
    async fn load_results(&self) -> store::Result<(Vec<NodeRecord>, Vec<Approval>)> {
        let store = &self.engine.inner.store;
        let nodes = store.nodes(std::slice::from_ref(&self.run.id)).await?;
        let approvals = store.approvals_of(&self.run.id).await?;
        Ok((nodes.into_iter().map(|(_, node)| node).collect(), approvals))
    }

    async fn execute_nodes<'w>(
        &self,
        workflow: &'w Workflow,
        progress: &mut Progress<'w>,
        steps: &mut dyn Steps,
    ) -> Verdict {
        let mut running = FuturesUnordered::new();
        loop {
            match progress.denied().map(|approval| approval.decision) {
                None => {}
                Some(Decision::Expired) => {
                    return Verdict::Failed(Failure::expired());
                }
                Some(_) => return Verdict::Rejected,
            }
            for node in progress.ready() {
                match self.prepare(node, progress).await {
                    Ok(Some(input)) => {
                        progress.start(node);
                        running.push(steps.execute(node, input));
                    }
                    Ok(None) => {}
                    Err(Unprepared::Template(record)) => {
                        if let Err(verdict) = self.save(&record).await {
                            return verdict;
                        }
                        progress.end(*record);
                    }
                    Err(Unprepared::NotWritten(error)) => return error.into(),
                }
            }
            if running.is_empty() {
                if let Some(failed) = progress.failure() {
                    return Verdict::Failed(failure_of(failed, workflow));
                }
                return if progress.is_complete() { Verdict::Success } else { Verdict::Wait };
            }
            tokio::select! {
                Some(executed) = running.next() => {
                    let record = match executed {
                        Ok(record) => record,
                        Err(error) => return error.into(),
                    };
                    if let Err(verdict) = self.save(&record).await {
                        return verdict;
                    }
                    progress.end(record);
                }
                // Every renewal of the lease notifies every segment of this process.
                () = self.signals.changed(), if progress.awaits_decision() => {
                    let store = &self.engine.inner.store;
                    match persist(&self.signals, || store.approvals_of(&self.run.id)).await {
                        Ok(approvals) => progress.apply_approvals(approvals),
                        Err(error) => return error.into(),
                    }
                }
            }
        }
    }

    /// Renders the input of a node. Returns `None` if the node waits for an approval.
    async fn prepare(
        &self,
        node: &Node,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Value>, Unprepared> {
        match progress.approval(&node.id) {
            // The approved input is executed, even if the templates would render differently now.
            Some(Approval { decision: Decision::Approved, input, .. }) => {
                return Ok(Some(input.clone()));
            }
            Some(_) => return Ok(None),
            None => {}
        }
        let input =
            rendering::render(node, progress, &self.run.context).await.map_err(|reason| {
                Unprepared::Template(Box::new(node::unrenderable(
                    node,
                    self.engine.inner.store.now(),
                    reason,
                )))
            })?;
        if !node::needs_approval(self.engine.agents(), node) {
            return Ok(Some(input));
        }
        let now = self.engine.inner.store.now();
        let approval = Approval {
            id: uuid::Uuid::now_v7().to_string(),
            run_id: self.run.id.clone(),
            workflow: self.run.workflow.clone(),
            node_id: node.id.clone(),
            agent: node.agent.clone(),
            action: node.action.clone(),
            input,
            decision: Decision::Pending,
            requested_at: now,
            expires_at: now.after(self.engine.inner.options.approval_timeout),
            decided_at: None,
            responded_by: None,
            notes: None,
        };
        let store = &self.engine.inner.store;
        let requested =
            persist(&self.signals, || store.request_approval(self.run.state(), approval.clone()))
                .await;
        let approval = requested
            .and_then(|approval| approval.ok_or(NotWritten::Stopped(Stop::Superseded)))
            .map_err(Unprepared::NotWritten)?;
        tracing::info!(approval = approval.id, node = node.id, "waiting for an approval");
        self.engine.inner.approval_requested.notify_one();
        progress.apply_approvals(vec![approval]);
        Ok(None)
    }

    /// Stores the result of a node. The node is never executed again.
    async fn save(&self, record: &NodeRecord) -> Result<(), Verdict> {
        let store = &self.engine.inner.store;
        match persist(&self.signals, || store.save_node(self.run.state(), record.clone())).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotWritten::Stopped(Stop::Superseded).into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn suspend(&self) -> Result<Paused, NotWritten> {
        let store = &self.engine.inner.store;
        let segment = telemetry::current_segment();
        persist(&self.signals, || {
            store.suspend(self.run.state(), segment.clone(), self.executed_ms())
        })
        .await
    }

    async fn hand_back(&self) {
        let store = &self.engine.inner.store;
        let segment = telemetry::current_segment();
        if let Err(error) = store.hand_back(self.run.state(), segment, self.executed_ms()).await {
            let run = &self.run.id;
            tracing::warn!(run, %error, "cannot hand back the run; it counts a crash");
        }
    }

    fn executed_ms(&self) -> u64 {
        let segment = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.run.executed_ms.saturating_add(segment)
    }
}

enum Unprepared {
    Template(Box<NodeRecord>),
    NotWritten(NotWritten),
}

fn failure_of(record: &NodeRecord, workflow: &Workflow) -> Failure {
    let error = record.error.as_deref().unwrap_or("unknown error");
    let message = format!("node `{}` of `{}`: {error}", record.id, workflow.name);
    let kind = record.error_type.clone().map_or("_OTHER".into(), Cow::Owned);
    // A timeout of a node, of the run or of a remote service ends the run as TIMED_OUT.
    Failure { timed_out: record.status == NodeStatus::TimedOut, ..Failure::new(kind, message) }
}
