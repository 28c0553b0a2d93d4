//! One segment of a run: from PENDING until it ends, waits for a human, or is handed back. One `workflow.execute`.

use super::flight::{Signals, Stop};
use super::persist::{NotWritten, persist};
use super::progress::Progress;
use super::{Engine, EngineError, node, telemetry};
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, Node, NodeRecord, NodeStatus, Run, RunStatus, Workflow};
use crate::store::{self, End};
use crate::template;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hub_otel::instrument_workflow;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;
use telemetry::{Failure, Outcome};

/// Executes a run that is PENDING.
#[instrument_workflow(
    id = run.workflow,
    run_id = run.id,
    trigger = run.trigger.as_str(),
    resume = telemetry::resumed(&run),
    status = telemetry::status,
)]
pub(super) async fn execute(
    engine: Engine,
    run: Run,
    signals: Arc<Signals>,
) -> Result<Outcome, Failure> {
    let id = run.id.clone();
    let fresh = run.started_at.is_none();
    let claimed = persist(&signals, || {
        engine.inner.store.claim(&id, &engine.inner.owner, telemetry::segment())
    });
    let claimed = claimed.await;
    // As it was before it was claimed: nobody needs it for as long as the segment takes.
    drop(run);
    match claimed {
        Ok(Some(run)) => {
            Segment { engine, run, fresh, signals, began: Instant::now() }.execute().await
        }
        // It was cancelled before it began: the store says so, and so does this segment.
        Ok(None) => Ok(Outcome::Cancelled),
        Err(NotWritten::Stopped(Stop::Cancelled)) => Ok(Outcome::Cancelled),
        Err(NotWritten::Stopped(Stop::HandBack) | NotWritten::Closed) => {
            Ok(telemetry::suspended("shutdown"))
        }
    }
}

struct Segment {
    engine: Engine,
    /// As it was claimed.
    run: Run,
    /// Nobody claimed it before: there is nothing to be read.
    fresh: bool,
    signals: Arc<Signals>,
    began: Instant,
}

/// What there is to be written down.
enum Verdict {
    Success,
    Failed(Failure),
    Rejected,
    /// Nothing is left to do before a human answers.
    Wait,
    Stopped(Stop),
    /// The store is gone.
    Lost,
}

impl From<NotWritten> for Verdict {
    fn from(why: NotWritten) -> Self {
        match why {
            NotWritten::Stopped(stop) => Self::Stopped(stop),
            NotWritten::Closed => Self::Lost,
        }
    }
}

impl Segment {
    async fn execute(mut self) -> Result<Outcome, Failure> {
        loop {
            let verdict = self.drive().await;
            self.fresh = false;
            let end = match &verdict {
                Verdict::Success => Some(self.end(RunStatus::Success, None)),
                Verdict::Rejected => Some(self.end(RunStatus::Rejected, None)),
                Verdict::Failed(failure) if failure.timed_out => {
                    Some(self.end(RunStatus::TimedOut, Some(failure)))
                }
                Verdict::Failed(failure) => Some(self.end(RunStatus::Failed, Some(failure))),
                Verdict::Wait => match self.suspend().await {
                    Ok(true) => return Ok(telemetry::suspended("approval")),
                    // Somebody answered, or cancelled, a moment ago.
                    Ok(false) if self.is_running().await => continue,
                    Ok(false) => return Ok(Outcome::Cancelled),
                    Err(_) => return Ok(telemetry::suspended("shutdown")),
                },
                Verdict::Stopped(Stop::Cancelled) => return Ok(Outcome::Cancelled),
                Verdict::Stopped(Stop::HandBack) | Verdict::Lost => {
                    self.hand_back().await;
                    return Ok(telemetry::suspended("shutdown"));
                }
            };
            let store = &self.engine.inner.store;
            let written = match end {
                Some(end) => {
                    persist(&self.signals, || store.finish(&self.run.id, end.clone())).await
                }
                None => return Ok(telemetry::suspended("shutdown")),
            };
            return match (written, verdict) {
                // Only a request to cancel could be first.
                (Ok(None) | Err(NotWritten::Stopped(Stop::Cancelled)), _) => Ok(Outcome::Cancelled),
                // The next start finds it RUNNING and ends it.
                (Err(_), _) => Ok(telemetry::suspended("shutdown")),
                (Ok(Some(approvals)), verdict) => {
                    approvals
                        .iter()
                        .for_each(|approval| telemetry::approval_decided(approval, &self.run));
                    match verdict {
                        Verdict::Failed(failure) => Err(failure),
                        Verdict::Rejected => Ok(Outcome::Rejected),
                        _ => Ok(Outcome::Success),
                    }
                }
            };
        }
    }

    /// Calls agents until there is nothing left to do.
    async fn drive(&self) -> Verdict {
        let known = persist(&self.signals, || async {
            let workflow = match self.engine.workflow(&self.run.workflow).await {
                Ok(workflow) => workflow,
                Err(EngineError::Store(error)) => return Err(error),
                Err(_) => return Ok(None),
            };
            let (nodes, approvals) =
                if self.fresh { Default::default() } else { self.recall().await? };
            Ok(Some((workflow, nodes, approvals)))
        });
        let (workflow, nodes, approvals) = match known.await {
            Ok(Some(known)) => known,
            Ok(None) => {
                return Verdict::Failed(Failure::new("unknown_workflow", "its workflow is gone"));
            }
            Err(why) => return why.into(),
        };
        let mut progress = Progress::new(&workflow, nodes, approvals);
        let left =
            workflow.timeout().saturating_sub(std::time::Duration::from_millis(self.executed_ms()));
        tokio::select! {
            biased;
            why = self.signals.stopped() => Verdict::Stopped(why),
            verdict = self.work(&workflow, &mut progress) => verdict,
            () = tokio::time::sleep(left) => {
                let limit = workflow.timeout().as_millis();
                Verdict::Failed(Failure::timed_out(format!("the run took longer than its {limit} ms")))
            }
        }
    }

    /// What the segments before this one left in the store.
    async fn recall(&self) -> store::Result<(Vec<NodeRecord>, Vec<Approval>)> {
        let store = &self.engine.inner.store;
        let nodes = store.nodes(std::slice::from_ref(&self.run.id)).await?;
        let approvals = store.approvals_of(&self.run.id).await?;
        Ok((nodes.into_iter().map(|(_, node)| node).collect(), approvals))
    }

    async fn work<'w>(&self, workflow: &'w Workflow, progress: &mut Progress<'w>) -> Verdict {
        let mut flying = FuturesUnordered::new();
        loop {
            match progress.refusal().map(|refusal| refusal.decision) {
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
                        flying.push(node::execute(&self.engine, &self.run, node, input));
                    }
                    Ok(None) => {}
                    Err(Unprepared::Template(record)) => {
                        if let Err(why) = self.save(&record).await {
                            return why;
                        }
                        progress.end(*record);
                    }
                    Err(Unprepared::NotWritten(why)) => return why.into(),
                }
            }
            if flying.is_empty() {
                if let Some(failed) = progress.failure() {
                    return Verdict::Failed(failure_of(failed, workflow));
                }
                return if progress.is_complete() { Verdict::Success } else { Verdict::Wait };
            }
            tokio::select! {
                Some(record) = flying.next() => {
                    if let Err(why) = self.save(&record).await {
                        return why;
                    }
                    progress.end(record);
                }
                () = self.signals.woken() => {
                    let store = &self.engine.inner.store;
                    match persist(&self.signals, || store.approvals_of(&self.run.id)).await {
                        Ok(approvals) => progress.learn(approvals),
                        Err(why) => return why.into(),
                    }
                }
            }
        }
    }

    /// The input of a node that may start; `None` when a human has to say yes first.
    async fn prepare(
        &self,
        node: &Node,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Value>, Unprepared> {
        match progress.approval(&node.id) {
            // What was approved is what is done, whatever the templates would say now.
            Some(Approval { decision: Decision::Approved, input, .. }) => {
                return Ok(Some(input.clone()));
            }
            Some(_) => return Ok(None),
            None => {}
        }
        let input = template::render(&node.input, &progress.variables(&self.run.context)).map_err(
            |error| Unprepared::Template(Box::new(node::unrenderable(node, error.to_string()))),
        )?;
        if !node::needs_approval(&self.engine, node) {
            return Ok(Some(input));
        }
        let now = Timestamp::now();
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
        let asked = persist(&self.signals, || store.request_approval(approval.clone())).await;
        if let Some(approval) = asked.map_err(Unprepared::NotWritten)? {
            tracing::info!(approval = approval.id, node = node.id, "waiting for an approval");
            self.engine.inner.asked.notify_one();
            progress.learn(vec![approval]);
        }
        Ok(None)
    }

    /// Commits a node's result: from here on it never runs again.
    async fn save(&self, record: &NodeRecord) -> Result<(), Verdict> {
        let store = &self.engine.inner.store;
        match persist(&self.signals, || store.save_node(&self.run.id, record.clone())).await {
            Ok(true) => Ok(()),
            // The run is no longer running: it was cancelled, and the signal is on its way.
            Ok(false) => Err(Verdict::Stopped(Stop::Cancelled)),
            Err(why) => Err(why.into()),
        }
    }

    async fn suspend(&self) -> Result<bool, NotWritten> {
        let store = &self.engine.inner.store;
        let segment = telemetry::segment();
        persist(&self.signals, || store.suspend(&self.run.id, segment.clone(), self.executed_ms()))
            .await
    }

    async fn hand_back(&self) {
        let store = &self.engine.inner.store;
        if let Err(error) =
            store.hand_back(&self.run.id, telemetry::segment(), self.executed_ms()).await
        {
            tracing::warn!(run = self.run.id, %error, "not handed back; the next start takes it for crashed");
        }
    }

    async fn is_running(&self) -> bool {
        let store = &self.engine.inner.store;
        let run = persist(&self.signals, || store.run(&self.run.id)).await;
        matches!(run, Ok(Some(run)) if run.status == RunStatus::Running)
    }

    fn end(&self, status: RunStatus, failure: Option<&Failure>) -> End {
        End {
            status,
            error_type: failure.map(|failure| failure.kind.to_owned()),
            error: failure.map(|failure| failure.message.clone()),
            executed_ms: self.executed_ms(),
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
    let why = record.error.as_deref().unwrap_or("no reason was given");
    let message = format!("node `{}` of `{}`: {why}", record.id, workflow.name);
    let kind = record.error_type.as_deref().map_or("_OTHER", intern);
    // Time that ran out is what the run ends with, whether it was the run's, a node's or the other side's: an error that
    // says so ends every unit that it passes through as TIMED_OUT.
    Failure { timed_out: record.status == NodeStatus::TimedOut, ..Failure::new(kind, message) }
}

/// Error kinds are few and fixed; one that was read back from the store is one of them again.
fn intern(kind: &str) -> &'static str {
    use std::collections::HashSet;
    use std::sync::{LazyLock, Mutex};
    static KINDS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut kinds = super::lock(&KINDS);
    if let Some(known) = kinds.get(kind) {
        return known;
    }
    // A bound on what a store that was tampered with could leak.
    if kinds.len() >= 1000 {
        return "_OTHER";
    }
    let kind: &'static str = Box::leak(kind.to_owned().into_boxed_str());
    kinds.insert(kind);
    kind
}
