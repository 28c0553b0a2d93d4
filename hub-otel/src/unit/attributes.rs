//! Identity and label set of a unit at its start.

use crate::instance::Instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::shared_str::share_str;
use crate::unit::arguments::UnitArgs;
use crate::unit::identity::{IdentityValue, ParentWorkflow, StartIdentity};
use crate::unit::run_attributes::RunAttributes;
use crate::unit::segment::Segment;
use opentelemetry::StringValue;
use std::sync::Arc;

impl StartIdentity {
    /// Resolves the identity of a unit that starts inside of `workflow`.
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
            run_attributes: None,
        }
    }

    /// Adds the attributes that the arguments set and that the unit inherits.
    pub(super) fn add_run_attributes(
        &mut self,
        args: &UnitArgs<'_>,
        inherited: Option<RunAttributes>,
    ) {
        let own = args.rare.as_ref().and_then(|rare| rare.run_attributes.clone());
        self.run_attributes = match (own, inherited) {
            (Some(own), Some(inherited)) => {
                let mut all = Some(own);
                RunAttributes::inherit(&mut all, &inherited);
                all
            }
            (own, inherited) => own.or(inherited),
        };
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
        let attributes = segment.attributes.into_iter();
        let stored = RunAttributes::new(attributes.map(|(key, value)| (key.into(), value)));
        if let (Some(rare), Some(stored)) = (&mut self.rare, &stored) {
            RunAttributes::inherit(&mut rare.run_attributes, stored);
        }
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
}
