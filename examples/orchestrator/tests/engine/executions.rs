//! Executions of nodes that processes have logged, compared with the results that they committed.

use crate::server::Server;
use orchestrator::clock::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Returns a node that logs its execution, as `tag/node`. The context of the run has the tag.
pub(crate) fn logging_node(id: &str, after: &[&str]) -> Value {
    json!({"id": id, "agent": "notifier", "action": "notify", "dependsOn": after,
        "input": {"channel": "console", "message": format!("executes {{{{ tag }}}}/{id} !")}})
}

/// The times of the executions by `tag/node`.
#[derive(Default)]
pub(crate) struct Executions(HashMap<String, Vec<i64>>);

impl Executions {
    /// Adds the executions that a server has logged.
    pub(crate) fn read(&mut self, server: &Server) {
        for line in server.process.stderr().lines() {
            let Some((_, tag)) = line.split_once("[Notifier] executes ") else { continue };
            let time = line.split_whitespace().next().and_then(Timestamp::parse);
            if let (Some(time), Some((tag, _))) = (time, tag.split_once(" !")) {
                self.0.entry(tag.to_owned()).or_default().push(time.0);
            }
        }
    }

    /// Asserts that no committed result (tag, node, time) was executed again after its commit.
    /// Returns the number of compared results and of executions that were repeated before.
    pub(crate) fn check(&self, committed: Vec<(String, String, i64)>) -> (usize, usize) {
        let (mut checked, mut repeated) = (0, 0);
        for (tag, node, finished) in committed {
            let Some(times) = self.0.get(&format!("{tag}/{node}")) else { continue };
            checked += 1;
            repeated += times.len() - 1;
            assert!(
                times.iter().all(|time| *time <= finished),
                "{tag}/{node} was committed at {finished} and executed at {times:?}"
            );
        }
        (checked, repeated)
    }
}
