//! What a workflow, a run, a node and an approval are. No I/O, no clock of its own, no telemetry.

pub mod approval;
pub mod graph;
pub mod run;
pub mod workflow;

pub use approval::{Approval, Decision};
pub use run::{NewRun, NodeRecord, NodeStatus, Run, RunStatus, Trigger};
pub use workflow::{Node, Retry, Workflow};
