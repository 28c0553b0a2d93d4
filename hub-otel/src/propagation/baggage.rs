//! The identity of a run as W3C Baggage: two keys, nothing else of what the header may hold.

use crate::propagation::{Context, Extractor, Injector};
use crate::semconv::attribute::{WORKFLOW_ID, WORKFLOW_RUN_ID};
use crate::shared_str::share_str;
use crate::unit::lookup as running;
use crate::unit::state::Enclosing;
use opentelemetry::StringValue;
use percent_encoding::AsciiSet;
use percent_encoding::CONTROLS;
use percent_encoding::percent_decode_str;
use percent_encoding::utf8_percent_encode;

pub(super) const BAGGAGE: &str = "baggage";
/// What a baggage value may not hold (W3C Baggage, "baggage-octet").
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');
/// Longer than any sensible id: what comes in from outside is never kept whole without a bound.
const LONGEST: usize = 256;

pub(super) fn inject(carrier: &mut dyn Injector) {
    let Some(run) = Context::map_current(running::enclosing) else { return };
    let value = |text: &StringValue| utf8_percent_encode(text.as_str(), ESCAPED).to_string();
    let mut baggage = format!("{WORKFLOW_ID}={}", value(&run.id));
    if let Some(run_id) = &run.run_id {
        baggage.push_str(&format!(",{WORKFLOW_RUN_ID}={}", value(run_id)));
    }
    carrier.set(BAGGAGE, baggage);
}

pub(super) fn extract(context: Context, carrier: &dyn Extractor) -> Context {
    let Some(baggage) = carrier.get(BAGGAGE) else { return context };
    let (mut id, mut run_id) = (None, None);
    for member in baggage.split(',') {
        let member = member.split(';').next().unwrap_or_default();
        let Some((key, value)) = member.split_once('=') else { continue };
        let value = percent_decode_str(value.trim()).decode_utf8_lossy();
        if value.is_empty() || value.len() > LONGEST {
            continue;
        }
        match key.trim() {
            WORKFLOW_ID => id = Some(share_str(&value)),
            WORKFLOW_RUN_ID => run_id = Some(share_str(&value)),
            _ => {}
        }
    }
    match id {
        Some(id) => context.with_value(Enclosing { id, run_id }),
        None => context,
    }
}
