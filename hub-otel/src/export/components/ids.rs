//! The id generator of the application, with random ids where it fails.

use crate::contain::contain;
use crate::export::components::named::report_panic;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

/// An id generator whose panics and invalid ids are replaced by random ids: a span with an invalid
/// id would be lost, and its children with it.
#[derive(Debug)]
pub(crate) struct CheckedIds(pub(crate) Box<dyn IdGenerator>);

impl CheckedIds {
    fn checked<T: PartialEq>(&self, generate: impl Fn(&dyn IdGenerator) -> T, invalid: T) -> T {
        match contain(|| generate(&*self.0)) {
            Some(id) if id != invalid => id,
            Some(_) => generate(&RandomIdGenerator::default()),
            None => {
                report_panic("the id generator");
                generate(&RandomIdGenerator::default())
            }
        }
    }
}

impl IdGenerator for CheckedIds {
    fn new_trace_id(&self) -> TraceId {
        self.checked(|ids| ids.new_trace_id(), TraceId::INVALID)
    }

    fn new_span_id(&self) -> SpanId {
        self.checked(|ids| ids.new_span_id(), SpanId::INVALID)
    }
}
