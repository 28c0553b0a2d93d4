//! Declaration of counters at zero, before the first run. PromQL's `increase` does not see the
//! first value of a series, so a counter that starts at 20 loses these 20.

use crate::metrics::Dimensions;
use crate::telemetry::Telemetry;
use crate::unit_kind::UnitKind;

impl Telemetry {
    /// Creates `workflow.runs.total` of this workflow at zero, for SUCCESS, FAILED and TIMED_OUT
    /// and each trigger.
    ///
    /// A workflow that is not declared gets them when its first run begins.
    pub fn declare_workflow<'a>(&self, id: &str, triggers: impl IntoIterator<Item = &'a str>) {
        for trigger in triggers {
            self.declare(UnitKind::Workflow, id, trigger);
        }
    }

    /// Creates `agent.runs.total` of this agent and action at zero, for SUCCESS, FAILED and
    /// TIMED_OUT.
    pub fn declare_agent(&self, id: &str, action: &str) {
        self.declare(UnitKind::Agent, id, action);
    }

    fn declare(&self, kind: UnitKind, id: &str, trigger_or_action: &str) {
        if let Some(instance) = self.instance() {
            instance.units.label_set(kind, &Dimensions { id, trigger_or_action, extra: &[] });
        }
    }
}
