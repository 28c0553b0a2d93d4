//! The executions whose body is in flight in this process.

use crate::engine::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Number of bodies in flight by execution. Cheap to clone. Exists before the connection: a body
/// can start while the process still connects.
#[derive(Clone, Default)]
pub(super) struct Attended(Arc<Mutex<HashMap<String, usize>>>);

impl Attended {
    /// Counts a body until the guard is dropped.
    pub(super) fn enter(&self, execution: &str) -> BodyGuard {
        *lock(&self.0).entry(execution.to_owned()).or_insert(0) += 1;
        BodyGuard { attended: self.clone(), execution: execution.to_owned() }
    }

    /// Returns whether a body of this execution is in flight.
    pub(super) fn contains(&self, execution: &str) -> bool {
        lock(&self.0).contains_key(execution)
    }
}

/// Entry of a body in flight.
pub(super) struct BodyGuard {
    attended: Attended,
    execution: String,
}

impl Drop for BodyGuard {
    fn drop(&mut self) {
        let mut attended = lock(&self.attended.0);
        if let Some(bodies) = attended.get_mut(&self.execution) {
            *bodies -= 1;
            if *bodies == 0 {
                attended.remove(&self.execution);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_attended_until_its_last_body_has_ended() {
        let attended = Attended::default();
        let (first, second) = (attended.enter("a/0"), attended.enter("a/0"));
        drop(first);
        assert!(attended.contains("a/0"));
        assert!(!attended.contains("a/1"));
        drop(second);
        assert!(!attended.contains("a/0"));
    }
}
