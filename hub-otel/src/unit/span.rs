//! The span of a recording unit: the SDK's span, and beside it, in the same allocation, what is known of the unit.
//!
//! It travels wherever the OpenTelemetry context travels, so an agent that was spawned onto another thread still finds
//! the workflow above it. The API of OpenTelemetry shows a span in a context only through its own methods; the one that
//! no other span reacts to, `set_status(Unset)`, carries our questions: a letter says which one, and what does not fit
//! into it lies beside it. A span of anybody else's is left as it was.

use crate::semconv::span;
use crate::status;
use crate::unit::events::Facts;
use crate::unit::finish::{Ending, Failure};
use crate::unit::state::{Enclosing, Given, Shared, Unit};
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::Span;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::trace::Span as SdkSpan;
use opentelemetry_sdk::trace::SpanData;
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::SystemTime;

/// The span of a unit that records.
#[derive(Debug)]
pub(crate) struct UnitSpan {
    pub(crate) sdk: SdkSpan,
    pub(crate) unit: Unit,
    pub(crate) given: Given,
    pub(crate) began: SystemTime,
    /// What was set on the raw span. The unit's own end comes first.
    pub(crate) status: Status,
    /// An attribute was set late: its key may be there twice.
    pub(crate) repeated: bool,
}

/// One word between a context and its span, on one thread.
#[derive(Clone, Copy)]
enum Letter {
    Empty,
    AskEnclosing,
    AskShared,
    AskDescription,
    /// End with this; what else the [`Ending`] holds lies beside the letter.
    End {
        status: status::UnitStatus,
        expected: bool,
        returned: bool,
        failure: bool,
        attributes: bool,
    },
    Answered,
}

/// An answer that does not fit into the letter.
enum Parcel {
    Enclosing(Option<Arc<Enclosing>>),
    Shared(Arc<Shared>),
    Description(Facts),
}

thread_local! {
    static LETTER: Cell<Letter> = const { Cell::new(Letter::Empty) };
    static PARCEL: Cell<Option<Parcel>> = const { Cell::new(None) };
    static FAILURE: Cell<Option<Failure>> = const { Cell::new(None) };
    static ATTRIBUTES: Cell<Vec<KeyValue>> = const { Cell::new(Vec::new()) };
    static REPEATED: Cell<bool> = const { Cell::new(false) };
}

/// Puts a question to the span of `context`. `false`: it is not a unit's.
fn ask(context: &Context, question: Letter) -> bool {
    if !context.has_active_span() {
        return false;
    }
    LETTER.set(question);
    context.span().set_status(Status::Unset);
    matches!(LETTER.replace(Letter::Empty), Letter::Answered)
}

fn send(parcel: Parcel) {
    // A thread that is ending has no place for it any more.
    let _ = PARCEL.try_with(|place| place.set(Some(parcel)));
}

fn receive() -> Option<Parcel> {
    PARCEL.try_with(Cell::take).ok()?
}

/// The workflow that encloses whatever is started under `context`'s own span. The outer `None`: not a unit's span.
pub(crate) fn enclosing(context: &Context) -> Option<Option<Arc<Enclosing>>> {
    match ask(context, Letter::AskEnclosing).then(receive)?? {
        Parcel::Enclosing(enclosing) => Some(enclosing),
        _ => None,
    }
}

/// The late facts of the unit whose span `context` carries.
pub(crate) fn shared(context: &Context) -> Option<Arc<Shared>> {
    match ask(context, Letter::AskShared).then(receive)?? {
        Parcel::Shared(shared) => Some(shared),
        _ => None,
    }
}

/// What the log says of the unit whose span `context` carries.
pub(crate) fn describe(context: &Context) -> Option<Facts> {
    match ask(context, Letter::AskDescription).then(receive)?? {
        Parcel::Description(facts) => Some(facts),
        _ => None,
    }
}

/// Ends the unit whose span `context` carries.
pub(crate) fn end(context: &Context, ending: &mut Ending) {
    let (failure, attributes) = (ending.failure.is_some(), !ending.attributes.is_empty());
    // A thread that is ending has no place for them any more.
    if failure {
        let _ = FAILURE.try_with(|place| place.set(ending.failure.take()));
    }
    if attributes {
        let _ = ATTRIBUTES.try_with(|place| place.set(std::mem::take(&mut ending.attributes)));
    }
    let Ending { status, expected, returned, .. } = *ending;
    let ended = ask(context, Letter::End { status, expected, returned, failure, attributes });
    debug_assert!(ended, "the wrapper ends only units");
}

impl UnitSpan {
    #[inline]
    fn answer(&mut self, question: Letter) {
        match question {
            Letter::Empty | Letter::Answered => return,
            Letter::AskEnclosing => send(Parcel::Enclosing(self.unit.enclosing(&self.given))),
            Letter::AskShared => send(Parcel::Shared(self.unit.shared(&self.given))),
            Letter::AskDescription => send(Parcel::Description(self.unit.describe(&self.given))),
            Letter::End { status, expected, returned, failure, attributes } => {
                let ending = Ending {
                    status,
                    expected,
                    returned,
                    failure: if failure {
                        FAILURE.try_with(Cell::take).ok().flatten()
                    } else {
                        None
                    },
                    attributes: if attributes {
                        ATTRIBUTES.try_with(Cell::take).unwrap_or_default()
                    } else {
                        Vec::new()
                    },
                };
                crate::unit::finish::recorded(self, ending);
            }
        }
        LETTER.set(Letter::Answered);
    }

    /// Hands the span to its processor, which settles keys that are there twice.
    pub(crate) fn finish(&mut self, at: SystemTime) {
        if self.repeated {
            REPEATED.set(true);
        }
        self.sdk.end_with_timestamp(at);
        if self.repeated {
            REPEATED.set(false);
        }
    }
}

/// Removes all but the last attribute of each key, where one may be there twice (OTLP: keys are unique). To be called
/// by the first span processor, on the thread that ends the span.
pub(crate) fn settle(data: &mut SpanData) {
    if REPEATED.replace(false) {
        keep_last(&mut data.attributes);
    }
}

fn keep_last(attributes: &mut Vec<KeyValue>) {
    let mut index = 0;
    while index < attributes.len() {
        let (key, rest) = (&attributes[index].key, &attributes[index + 1..]);
        if rest.iter().any(|later| later.key == *key) {
            attributes.remove(index);
        } else {
            index += 1;
        }
    }
}

impl Span for UnitSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        self.sdk.add_event_with_timestamp(name, timestamp, attributes);
    }

    fn span_context(&self) -> &SpanContext {
        self.sdk.span_context()
    }

    fn is_recording(&self) -> bool {
        self.sdk.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        self.repeated = true;
        self.sdk.set_attribute(attribute);
    }

    fn set_status(&mut self, status: Status) {
        if status == Status::Unset {
            self.answer(LETTER.replace(Letter::Empty));
        } else if status > self.status {
            self.status = status;
        }
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.sdk.update_name(new_name);
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.sdk.add_link(span_context, attributes);
    }

    /// The wrapper is the only one that ends a unit: an end by hand would lose its outcome.
    fn end_with_timestamp(&mut self, _timestamp: SystemTime) {
        tracing::debug!(
            target: crate::semconv::SCOPE,
            "the span of a unit ({} or {}) ends with its function: end() by hand was ignored",
            span::WORKFLOW_EXECUTE,
            span::AGENT_EXECUTE
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::kv;

    #[test]
    fn the_last_value_of_a_key_stays() {
        let mut attributes = vec![kv("a", 1), kv("b", 2), kv("a", 3), kv("c", 4), kv("a", 5)];
        keep_last(&mut attributes);
        assert_eq!(attributes, [kv("b", 2), kv("c", 4), kv("a", 5)]);
    }
}
