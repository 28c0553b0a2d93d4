//! The identity of a run as W3C Baggage, and its attributes. The keys of the run's identity and
//! those that the instance allows are read and written; other members are ignored.
//!
//! Not the SDK's `BaggagePropagator`: it writes all of the context's baggage, which may hold values
//! that the destination must not see.

use crate::instance;
use crate::propagation::carriers::{Extractor, Injector};
use crate::semconv::attribute::{WORKFLOW_ID, WORKFLOW_RUN_ID};
use crate::shared_str::share_str;
use crate::unit::identity::ParentWorkflow;
use crate::unit::run_attributes::RunAttributes;
use crate::unit::stack;
use opentelemetry::Context;
use opentelemetry::Key;
use opentelemetry::StringValue;
use percent_encoding::AsciiSet;
use percent_encoding::CONTROLS;
use percent_encoding::percent_decode_str;
use percent_encoding::utf8_percent_encode;

const HEADER: &str = "baggage";
/// The characters that a value must not contain (W3C Baggage, `baggage-octet`), and `%`.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');
/// Longer values are ignored: they come from outside and become attributes of every span.
const MAX_VALUE_BYTES: usize = 256;

/// Writes the identity of the current run; nothing outside of a run.
pub(super) fn inject(carrier: &mut dyn Injector) {
    let Some(run) = Context::map_current(stack::parent_workflow) else { return };
    let encode = |value: &StringValue| utf8_percent_encode(value.as_str(), ESCAPED).to_string();
    let mut baggage = format!("{WORKFLOW_ID}={}", encode(&run.id));
    if let Some(run_id) = &run.run_id {
        baggage.push_str(&format!(",{WORKFLOW_RUN_ID}={}", encode(run_id)));
    }
    if let Some(attributes) = Context::map_current(stack::inherited_attributes) {
        let instance = Context::map_current(instance::find);
        let is_carried =
            |key: &Key| instance.as_ref().is_some_and(|instance| instance.carries(key.as_str()));
        for (key, value) in attributes.texts().filter(|(key, _)| is_carried(key)) {
            baggage.push_str(&format!(",{key}={}", encode(value)));
        }
    }
    carrier.set(HEADER, baggage);
}

/// Returns `context` with the run's identity; `context` itself if the baggage has no workflow id.
pub(super) fn extract(context: Context, carrier: &dyn Extractor) -> Context {
    let (mut id, mut run_id, mut attributes) = (None, None, None);
    let instance = instance::find(&context);
    let is_carried = |key: &str| instance.as_ref().is_some_and(|instance| instance.carries(key));
    for member in carrier.get_all(HEADER).into_iter().flat_map(|line| line.split(',')) {
        // Properties of a member follow its value after a `;`: they are not used.
        let member = member.split(';').next().unwrap_or_default();
        let Some((key, value)) = member.split_once('=') else { continue };
        let value = percent_decode_str(value.trim()).decode_utf8_lossy();
        if value.is_empty() || value.len() > MAX_VALUE_BYTES {
            continue;
        }
        match key.trim() {
            WORKFLOW_ID => id = Some(share_str(&value)),
            WORKFLOW_RUN_ID => run_id = Some(share_str(&value)),
            key if is_carried(key) => {
                RunAttributes::set(&mut attributes, Key::from(key.to_owned()), &value);
            }
            _ => {}
        }
    }
    let context = match attributes {
        Some(attributes) => context.with_value::<RunAttributes>(attributes),
        None => context,
    };
    match id {
        Some(id) => context.with_value(ParentWorkflow { id, run_id }),
        None => context,
    }
}
