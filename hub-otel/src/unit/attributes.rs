//! Identity of a unit at its start: label set and start attributes.

use crate::instance::Instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::semconv::{attribute as a, gen_ai, kv};
use crate::shared_str::share_str;
use crate::unit::arguments::UnitArgs;
use crate::unit::identity::{IdentityValue, new_run_id};
use crate::unit::segment::Segment;
use crate::unit::state::ParentWorkflow;
use crate::unit_kind::UnitKind;
use opentelemetry::{KeyValue, StringValue};
use std::sync::Arc;

/// Capacity for the attributes of start and end and a few fields.
const CAPACITY: usize = 14;

/// Identity of a unit, from the arguments of the call and the literals of its call site.
pub(super) struct StartIdentity {
    pub(super) id: StringValue,
    pub(super) name: Option<StringValue>,
    pub(super) trigger_or_action: StringValue,
    /// `None` until an attribute or an agent needs it.
    pub(super) run_id: Option<StringValue>,
    /// Workflow around an agent.
    pub(super) workflow: Option<ParentWorkflow>,
}

impl StartIdentity {
    pub(super) fn new(
        args: &UnitArgs<'_>,
        label_set: &LabelSet,
        workflow: Option<ParentWorkflow>,
    ) -> Self {
        let callsite = args.callsite;
        let id = callsite.map(|callsite| callsite.id);
        let trigger_or_action = callsite.map(|callsite| callsite.trigger_or_action);
        let name = callsite.and_then(|callsite| callsite.name);
        let run_id = callsite.and_then(|callsite| callsite.run_id);
        Self {
            id: label_value(&args.id, id, label_set, &label_set.id),
            name: argument_or_literal(&args.name, name),
            trigger_or_action: label_value(
                &args.trigger_or_action,
                trigger_or_action,
                label_set,
                &label_set.trigger_or_action,
            ),
            run_id: argument_or_literal(&args.run_id, run_id),
            workflow,
        }
    }
}

/// Returns a value that is also a label, without a new allocation where possible.
///
/// Many units share the label set of a label overflow: its values are not the unit's own.
fn label_value(
    argument: &IdentityValue<'_>,
    literal: Option<&'static str>,
    label_set: &LabelSet,
    label: &StringValue,
) -> StringValue {
    match (argument, literal) {
        (IdentityValue::Absent, Some(literal)) => StringValue::from(literal),
        (argument, _) if label_set.overflowing => {
            argument.as_str().map_or_else(|| label.clone(), share_str)
        }
        _ => label.clone(),
    }
}

fn argument_or_literal(
    argument: &IdentityValue<'_>,
    literal: Option<&'static str>,
) -> Option<StringValue> {
    argument.to_shared().or_else(|| literal.map(StringValue::from))
}

impl UnitArgs<'_> {
    /// Takes over the identity of the segment that the unit resumes.
    #[cold]
    pub(super) fn take_identity(&mut self, segment: Segment) {
        self.id = IdentityValue::Owned(segment.workflow_id);
        self.trigger_or_action = IdentityValue::Owned(segment.trigger);
        self.run_id = IdentityValue::Owned(segment.run_id);
        if let (Some(name), IdentityValue::Absent) = (segment.name, &self.name) {
            self.name = IdentityValue::Owned(name);
        }
    }

    /// Returns the label set of the unit.
    pub(super) fn label_set(&self, instance: &Instance) -> Arc<LabelSet> {
        match (self.callsite, &self.id, &self.trigger_or_action) {
            (Some(callsite), IdentityValue::Absent, IdentityValue::Absent)
                if self.labels.is_empty() =>
            {
                callsite.label_set(instance)
            }
            (callsite, id, trigger_or_action) => {
                let id = id.as_str().or(callsite.map(|callsite| callsite.id));
                let trigger_or_action = trigger_or_action
                    .as_str()
                    .or(callsite.map(|callsite| callsite.trigger_or_action));
                let dimensions = Dimensions {
                    id: id.unwrap_or_default(),
                    trigger_or_action: trigger_or_action.unwrap_or_default(),
                    extra: &self.labels,
                };
                instance.units.label_set(self.kind, &dimensions)
            }
        }
    }

    /// Returns the start attributes. Gives the unit a run id if it has none.
    pub(super) fn start_attributes(
        &self,
        identity: &mut StartIdentity,
        gen_ai: bool,
    ) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(CAPACITY);
        let run_id = identity.run_id.get_or_insert_with(new_run_id).clone();
        let id = identity.id.clone();
        let trigger_or_action = identity.trigger_or_action.clone();
        match self.kind {
            UnitKind::Workflow => {
                let name = identity.name.clone().unwrap_or_else(|| id.clone());
                attributes.push(kv(a::WORKFLOW_RUN_ID, run_id));
                attributes.push(kv(a::WORKFLOW_ID, id));
                attributes.push(kv(a::WORKFLOW_NAME, name));
                attributes.push(kv(a::WORKFLOW_TRIGGER, trigger_or_action));
            }
            UnitKind::Agent => {
                attributes.push(kv(a::AGENT_ID, id));
                attributes.extend(identity.name.clone().map(|name| kv(a::AGENT_NAME, name)));
                attributes.push(kv(a::AGENT_ACTION, trigger_or_action));
                attributes.push(kv(a::AGENT_RUN_ID, run_id));
                if let Some(workflow) = &identity.workflow {
                    let run_id = workflow.run_id.clone();
                    attributes.extend(run_id.map(|run_id| kv(a::WORKFLOW_RUN_ID, run_id)));
                    attributes.push(kv(a::WORKFLOW_ID, workflow.id.clone()));
                }
            }
        }
        if gen_ai || self.gen_ai || self.callsite.is_some_and(|callsite| callsite.gen_ai) {
            let is_workflow = self.kind == UnitKind::Workflow;
            gen_ai::describe(is_workflow, &identity.id, identity.name.as_ref(), &mut attributes);
        }
        attributes
    }
}
