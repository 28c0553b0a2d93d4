//! Identity of a label set.

use crate::label::LabelValue;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

/// Labels of a unit, borrowed from the call.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Dimensions<'a> {
    /// `workflow_id` or `agent_id`.
    pub(crate) id: &'a str,
    /// `trigger_type` of a workflow, `action` of an agent.
    pub(crate) trigger_or_action: &'a str,
    /// Labels from the macro argument `labels(…)`.
    pub(crate) extra: &'a [(&'static str, LabelValue)],
}

impl Dimensions<'_> {
    /// Returns the hash of all labels. Not keyed: the cap of label sets bounds the cost of
    /// collisions.
    pub(crate) fn hash(&self) -> u64 {
        FxBuildHasher.hash_one(self)
    }
}
