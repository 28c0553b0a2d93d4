//! The durable engine behind the runs: where a segment is executed, how its nodes are
//! checkpointed, how a run is continued and drained. Everything else is shared by all engines.

use super::persist::NotWritten;
use super::{Engine, OpenError, node, segment};
use crate::clock::Timestamp;
use crate::domain::{Node, NodeRecord, Run, Workflow};
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;

/// A durable engine. No method waits for its database, except those that are documented to.
#[async_trait]
pub(super) trait Execution: Send + Sync {
    /// Connects to the database of the engine, and starts its background tasks.
    async fn open(&self, _engine: &Engine) -> Result<(), OpenError> {
        Ok(())
    }

    /// Starts a run that is PENDING and that this process owns.
    fn start(&self, engine: &Engine, run: Run);

    /// Continues runs of other processes that are now PENDING and that this process owns.
    fn resume(&self, engine: &Engine, runs: Vec<Run>);

    /// Recovers executions of ended processes whose runs were not taken over, because another
    /// process owns them. Waits for the database.
    async fn after_take_over(&self, _engine: &Engine) {}

    /// Creates the steps of a segment, within its execution.
    fn steps(&self, engine: &Engine, run: &Arc<Run>, workflow: &Arc<Workflow>) -> Box<dyn Steps>;

    /// Cancels the execution of a run that was cancelled.
    fn cancelled(&self, _run: &Run) {}

    /// Deletes the engine's own rows of executions that ended before a time. Waits for the
    /// database.
    async fn delete_ended(&self, _before: Timestamp) {}

    /// Hands the remaining runs of this process over to others, and disconnects. Waits for the
    /// database for a limited time.
    async fn close(&self, _engine: &Engine) {}
}

/// Execution of the nodes of one segment.
pub(super) trait Steps: Send {
    /// Executes a node, at most once per segment.
    fn execute(&mut self, node: &Node, input: Value) -> Executed;
}

/// A node in flight.
pub(super) type Executed = BoxFuture<'static, Result<NodeRecord, NotWritten>>;

/// Executes every run in a task of the process that owns it. The leases of the store are the whole
/// coordination between processes.
pub(super) struct Leases;

impl Execution for Leases {
    fn start(&self, engine: &Engine, run: Run) {
        let guard = engine.inner.in_flight.register(&run.id);
        let segment = segment::execute(engine.clone(), run, Arc::clone(guard.signals()));
        // The result is in the store and in the telemetry. `map` instead of an async block, whose
        // future would contain the segment's future twice.
        tokio::spawn(segment.map(|_result| drop(guard)));
    }

    fn resume(&self, engine: &Engine, runs: Vec<Run>) {
        for run in runs {
            self.start(engine, run);
        }
    }

    fn steps(&self, engine: &Engine, run: &Arc<Run>, _: &Arc<Workflow>) -> Box<dyn Steps> {
        Box::new(Direct { engine: engine.clone(), run: Arc::clone(run) })
    }
}

/// Nodes without a checkpoint other than the store's.
struct Direct {
    engine: Engine,
    run: Arc<Run>,
}

impl Steps for Direct {
    fn execute(&mut self, node: &Node, input: Value) -> Executed {
        let (engine, run, node) = (self.engine.clone(), Arc::clone(&self.run), node.clone());
        async move { Ok(node::execute(&engine, &run, &node, input).await) }.boxed()
    }
}
