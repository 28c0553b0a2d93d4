//! The span of a recording unit: the SDK's span, and beside it, in the same allocation, what is known of the unit.
//!
//! It travels wherever the OpenTelemetry context travels, so an agent that was spawned onto another thread still finds
//! the workflow above it. The API of OpenTelemetry shows a span in a context only through its own methods; the one that
//! no other span reacts to, `set_status(Unset)`, carries our questions, and the answer comes back in a thread-local
//! letter box. A span of anybody else's is left as it was.

use super::end::Ending;
use super::unit::{Enclosing, Shared, Unit};
use crate::contract::span;
use opentelemetry::trace::{Span, SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Span as SdkSpan, SpanData};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::SystemTime;

/// The span of a unit that records.
#[derive(Debug)]
pub(crate) struct UnitSpan {
    pub(crate) sdk: SdkSpan,
    pub(crate) unit: Unit,
    pub(crate) began: SystemTime,
    /// What was set on the raw span. The unit's own end comes first.
    pub(crate) status: Status,
    /// An attribute was set late: its key may be there twice.
    pub(crate) repeated: bool,
}

enum Letter {
    Empty,
    Question(Question),
    Answer(Answer),
}

enum Question {
    Enclosing,
    Shared,
    Describe,
    End(Ending),
}

enum Answer {
    Enclosing(Option<Enclosing>),
    Shared(Arc<Shared>),
    Described(super::lifecycle::Facts),
    Ended,
}

thread_local! {
    static LETTER_BOX: Cell<Letter> = const { Cell::new(Letter::Empty) };
    static REPEATED: Cell<bool> = const { Cell::new(false) };
}

/// Puts a question to the span of `context`. `None`: it is not a unit's.
fn ask(context: &Context, question: Question) -> Option<Answer> {
    if !context.has_active_span() {
        return None;
    }
    LETTER_BOX.try_with(|letters| letters.set(Letter::Question(question))).ok()?;
    context.span().set_status(Status::Unset);
    match LETTER_BOX.try_with(|letters| letters.replace(Letter::Empty)).ok()? {
        Letter::Answer(answer) => Some(answer),
        Letter::Empty | Letter::Question(_) => None,
    }
}

/// The workflow that encloses whatever is started under `context`'s own span. The outer `None`: not a unit's span.
pub(crate) fn enclosing(context: &Context) -> Option<Option<Enclosing>> {
    match ask(context, Question::Enclosing)? {
        Answer::Enclosing(enclosing) => Some(enclosing),
        _ => None,
    }
}

/// The late facts of the unit whose span `context` carries.
pub(crate) fn shared(context: &Context) -> Option<Arc<Shared>> {
    match ask(context, Question::Shared)? {
        Answer::Shared(shared) => Some(shared),
        _ => None,
    }
}

/// What the log says of the unit whose span `context` carries.
pub(crate) fn describe(context: &Context) -> Option<super::lifecycle::Facts> {
    match ask(context, Question::Describe)? {
        Answer::Described(facts) => Some(facts),
        _ => None,
    }
}

/// Ends the unit whose span `context` carries.
pub(crate) fn end(context: &Context, ending: Ending) {
    let ended = ask(context, Question::End(ending));
    debug_assert!(matches!(ended, Some(Answer::Ended)), "the wrapper ends only units");
}

impl UnitSpan {
    #[inline(never)]
    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Enclosing => Answer::Enclosing(self.unit.enclosing()),
            Question::Shared => Answer::Shared(self.unit.shared()),
            Question::Describe => Answer::Described(self.unit.describe()),
            Question::End(ending) => {
                super::end::recorded(self, ending);
                Answer::Ended
            }
        }
    }

    /// Hands the span to its processor, which settles keys that are there twice.
    pub(crate) fn finish(&mut self, at: SystemTime) {
        let repeated = self.repeated;
        let _ = REPEATED.try_with(|flag| flag.set(repeated));
        self.sdk.end_with_timestamp(at);
        let _ = REPEATED.try_with(|flag| flag.set(false));
    }
}

/// Removes all but the last attribute of each key, where one may be there twice (OTLP: keys are unique). To be called
/// by the first span processor, on the thread that ends the span.
pub(crate) fn settle(data: &mut SpanData) {
    if REPEATED.try_with(|flag| flag.replace(false)).unwrap_or(false) {
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
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, attributes: Vec<KeyValue>)
    where
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
            let letter = LETTER_BOX.try_with(|letters| letters.replace(Letter::Empty));
            if let Ok(Letter::Question(question)) = letter {
                let answer = self.answer(question);
                let _ = LETTER_BOX.try_with(|letters| letters.set(Letter::Answer(answer)));
            }
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
            target: crate::contract::SCOPE,
            "the span of a unit ({} or {}) ends with its function: end() by hand was ignored",
            span::WORKFLOW_EXECUTE,
            span::AGENT_EXECUTE
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::kv;

    #[test]
    fn the_last_value_of_a_key_stays() {
        let mut attributes = vec![kv("a", 1), kv("b", 2), kv("a", 3), kv("c", 4), kv("a", 5)];
        keep_last(&mut attributes);
        assert_eq!(attributes, [kv("b", 2), kv("c", 4), kv("a", 5)]);
    }
}
