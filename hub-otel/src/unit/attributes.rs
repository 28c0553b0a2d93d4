//! Who a unit is: its label set, and the attributes that the contract has at its start.

use crate::instance::Instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::semconv::{attribute as a, gen_ai, kv};
use crate::shared_str::share_str;
use crate::unit::arguments::Opening;
use crate::unit::identity::Text;
use crate::unit::run_id;
use crate::unit::segment::Segment;
use crate::unit::state::{Given, Unit};
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use std::sync::Arc;
use std::time::SystemTime;

/// Room for the contract's attributes at start and end and for a few fields, without growing.
const CAPACITY: usize = 14;

impl Opening<'_> {
    /// A resumed run is who it was.
    #[cold]
    pub(super) fn take_over(&mut self, segment: Segment) {
        self.id = Text::Owned(segment.workflow_id);
        self.second = Text::Owned(segment.trigger);
        self.run_id = Text::Owned(segment.run_id);
        if let (Some(name), Text::None) = (segment.name, &self.name) {
            self.name = Text::Owned(name);
        }
    }

    #[inline]
    pub(super) fn label_set(&self, instance: &Instance) -> Arc<LabelSet> {
        match (self.site, &self.id, &self.second) {
            (Some(site), Text::None, Text::None) if self.labels.is_empty() => {
                site.label_set(instance)
            }
            (site, id, second) => {
                let dimensions = Dimensions {
                    id: id.as_str().or(site.map(|site| site.id)).unwrap_or_default(),
                    trigger_or_action: second
                        .as_str()
                        .or(site.map(|site| site.second))
                        .unwrap_or_default(),
                    extra: &self.labels,
                };
                instance.units.label_set(self.kind, &dimensions)
            }
        }
    }

    /// The id as given: the label set may stand for many.
    #[inline]
    pub(super) fn own_id(&self, set: &LabelSet) -> StringValue {
        own(&self.id, self.site.map(|site| site.id), set, &set.id)
    }

    #[inline]
    fn own_second(&self, set: &LabelSet) -> StringValue {
        own(&self.second, self.site.map(|site| site.second), set, &set.trigger_or_action)
    }

    /// The attributes at start. Texts that nobody but this call knows are kept in `given`.
    pub(super) fn attributes(
        &self,
        unit: &Unit,
        given: &mut Given,
        began: SystemTime,
        gen_ai: bool,
    ) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(CAPACITY);
        let set = &*unit.set;
        let literal = self.site.map(|site| (site.name, site.run_id));
        let (name, run_id) = literal.unwrap_or_default();
        match self.kind {
            UnitKind::Workflow => {
                let run_id = told(&self.run_id, run_id, &mut given.run_id, || run_id::new(began));
                attributes.push(kv(a::WORKFLOW_RUN_ID, run_id));
                attributes.push(kv(a::WORKFLOW_ID, self.own_id(set)));
                let name = told(&self.name, name, &mut given.name, || self.own_id(set));
                attributes.push(kv(a::WORKFLOW_NAME, name));
                attributes.push(kv(a::WORKFLOW_TRIGGER, self.own_second(set)));
            }
            UnitKind::Agent => {
                attributes.push(kv(a::AGENT_ID, self.own_id(set)));
                if let Some(given_name) = self.name.value() {
                    attributes.push(kv(a::AGENT_NAME, given.name.insert(given_name).clone()));
                } else if let Some(name) = name {
                    attributes.push(kv(a::AGENT_NAME, name));
                }
                attributes.push(kv(a::AGENT_ACTION, self.own_second(set)));
                let run_id = told(&self.run_id, run_id, &mut given.run_id, || run_id::new(began));
                attributes.push(kv(a::AGENT_RUN_ID, run_id));
                if let Some(workflow) = &unit.workflow {
                    if let Some(run_id) = &workflow.run_id {
                        attributes.push(kv(a::WORKFLOW_RUN_ID, run_id.clone()));
                    }
                    attributes.push(kv(a::WORKFLOW_ID, workflow.id.clone()));
                }
            }
        }
        if gen_ai || self.gen_ai || self.site.is_some_and(|site| site.gen_ai) {
            let name = given.name.clone().or_else(|| name.map(StringValue::from));
            gen_ai::describe(
                self.kind == UnitKind::Workflow,
                &set.id,
                name.as_ref(),
                &mut attributes,
            );
        }
        attributes
    }
}

/// A literal costs nothing to copy; what a call gives is shared with the label set that it led to.
#[inline]
fn own(
    given: &Text<'_>,
    literal: Option<&'static str>,
    set: &LabelSet,
    known: &StringValue,
) -> StringValue {
    match (given, literal) {
        (Text::None, Some(literal)) => StringValue::from(literal),
        (given, _) if set.overflowing => given.as_str().map_or_else(|| known.clone(), share_str),
        _ => known.clone(),
    }
}

/// A text of the span; kept in `given` unless the call site has it.
#[inline]
fn told(
    text: &Text<'_>,
    literal: Option<&'static str>,
    given: &mut Option<StringValue>,
    otherwise: impl FnOnce() -> StringValue,
) -> StringValue {
    if let (Text::None, Some(literal)) = (text, literal) {
        return StringValue::from(literal);
    }
    given.insert(text.value().unwrap_or_else(otherwise)).clone()
}
