//! Types of workflows, runs, nodes and approvals. No I/O, no clock, no telemetry.

pub mod approval;
pub mod graph;
pub mod run;
pub mod workflow;

pub use approval::{Approval, Decision};
pub use run::{NewRun, NodeRecord, NodeStatus, Run, RunState, RunStatus, Trigger};
pub use workflow::{Node, Retry, Workflow};
