//! Random spans, for the comparison of encodings.
#![expect(clippy::disallowed_methods, reason = "the attributes are test data")]

use crate::options::{Exceptions, GenAiNames};
use crate::semconv::attribute as a;
use crate::status::UnitStatus;
use crate::unit::ending::{Ending, Failure, SpanEnd};
use crate::unit::identity::{ParentWorkflow, StartIdentity};
use crate::unit::span::{FieldList, RecordLimits, UnitSpan};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        (120_usize..20_000).prop_map(|n| "é".repeat(n))
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        vec(any::<i64>(), 0..4).prop_map(|values| Value::Array(values.into())),
        vec(any::<f64>(), 0..4).prop_map(|values| Value::Array(values.into())),
        vec(any::<bool>(), 0..4).prop_map(|values| Value::Array(values.into())),
        vec(text(), 0..4).prop_map(|values| {
            Value::Array(values.into_iter().map(StringValue::from).collect::<Vec<_>>().into())
        }),
    ]
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((any::<String>(), value()).prop_map(|(key, value)| KeyValue::new(key, value)), 0..6)
}

pub(crate) fn context() -> impl Strategy<Value = SpanContext> {
    let state = prop_oneof![Just(vec![]), Just(vec![("vendor", "a"), ("other", "b")])];
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>(), any::<bool>(), state).prop_map(
        |(trace, span, flags, is_remote, state)| {
            let state = TraceState::from_key_value(state).expect("valid entries");
            let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
            SpanContext::new(trace, span, TraceFlags::new(flags), is_remote, state)
        },
    )
}

pub(crate) fn time() -> impl Strategy<Value = SystemTime> {
    prop_oneof![
        any::<u32>().prop_map(|nanos| UNIX_EPOCH + Duration::from_nanos(u64::from(nanos))),
        Just(UNIX_EPOCH),
        Just(UNIX_EPOCH - Duration::from_secs(1)),
        Just(UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
    ]
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    (text(), time(), attributes(), 0_u32..3)
        .prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped))
}

pub(crate) fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Unset), Just(Status::Ok), text().prop_map(Status::error)]
}

pub(crate) fn kind() -> impl Strategy<Value = SpanKind> {
    prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
    ]
}

prop_compose! {
    pub(crate) fn span()(
        ids in (context(), prop_oneof![Just([0; 8]), any::<[u8; 8]>()], any::<bool>()),
        name in text(),
        kind in kind(),
        times in (time(), time()),
        attributes in attributes(),
        dropped in (0_u32..300, 0_u32..3, 0_u32..3),
        events in vec(event(), 0..3),
        links in vec((context(), attributes(), 0_u32..3), 0..3),
        status in status(),
    ) -> SpanData {
        let (span_context, parent, parent_span_is_remote) = ids;
        let mut span_events = SpanEvents::default();
        span_events.events = events;
        span_events.dropped_count = dropped.1;
        let mut span_links = SpanLinks::default();
        span_links.links = links
            .into_iter()
            .map(|(context, attributes, dropped)| Link::new(context, attributes, dropped))
            .collect();
        span_links.dropped_count = dropped.2;
        SpanData {
            span_context,
            parent_span_id: SpanId::from_bytes(parent),
            parent_span_is_remote,
            span_kind: kind,
            name: name.into(),
            start_time: times.0,
            end_time: times.1,
            attributes,
            dropped_attributes_count: dropped.0,
            events: span_events,
            links: span_links,
            status,
            instrumentation_scope: InstrumentationScope::builder("hub-otel")
                .with_version("0.1.0")
                .with_schema_url("https://opentelemetry.io/schemas/1.41.0")
                .with_attributes([KeyValue::new("scope.attribute", true)])
                .build(),
        }
    }
}

/// Limits that small random spans reach.
pub(crate) fn limits() -> impl Strategy<Value = RecordLimits> {
    let count = || prop_oneof![Just(128_usize), 0..8_usize];
    (count(), count(), count(), count(), count()).prop_map(
        |(attributes, events, links, event_attributes, link_attributes)| RecordLimits {
            attributes,
            events,
            links,
            event_attributes,
            link_attributes,
        },
    )
}

/// Copies a span that has not begun.
pub(crate) fn copy_of(span: &UnitSpan) -> UnitSpan {
    UnitSpan {
        kind: span.kind,
        context: span.context.clone(),
        parent_id: span.parent_id,
        parent_is_remote: span.parent_is_remote,
        span_kind: span.span_kind.clone(),
        name: span.name.clone(),
        started: span.started,
        identity: span.identity.clone(),
        gen_ai: span.gen_ai,
        fields: FieldList::default(),
        rare: None,
    }
}

/// A change of a span while its unit runs.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Attribute(KeyValue),
    Event(String, SystemTime, Vec<KeyValue>),
    Link(SpanContext, Vec<KeyValue>),
    Status(Status),
    Name(String),
}

/// A few keys, so that values are set again. None is secret.
fn repeated_attribute() -> impl Strategy<Value = KeyValue> {
    let key = prop_oneof![Just("plan"), Just("size"), Just(a::WORKFLOW_ID), Just(a::AGENT_STATUS)];
    (key, value()).prop_map(|(key, value)| KeyValue::new(key, value))
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => repeated_attribute().prop_map(Change::Attribute),
        2 => (text(), time(), attributes())
            .prop_map(|(name, time, attributes)| Change::Event(name, time, attributes)),
        2 => (context(), attributes())
            .prop_map(|(context, attributes)| Change::Link(context, attributes)),
        1 => status().prop_map(Change::Status),
        1 => text().prop_map(Change::Name),
    ]
}

impl Change {
    pub(crate) fn apply(self, span: &mut UnitSpan, limits: &RecordLimits) {
        match self {
            Self::Attribute(attribute) => span.set_attribute(attribute, limits),
            Self::Event(name, at, attributes) => {
                span.add_event(Cow::Owned(name), at, attributes, limits);
            }
            Self::Link(context, attributes) => span.add_link(context, attributes, limits),
            Self::Status(status) => span.set_user_status(status),
            Self::Name(name) => span.update_name(Cow::Owned(name)),
        }
    }
}

fn string() -> impl Strategy<Value = StringValue> {
    text().prop_map(StringValue::from)
}

fn identity() -> impl Strategy<Value = StartIdentity> {
    let workflow =
        (string(), option::of(string())).prop_map(|(id, run_id)| ParentWorkflow { id, run_id });
    (string(), option::of(string()), string(), string(), option::of(workflow)).prop_map(
        |(id, name, trigger_or_action, run_id, workflow)| StartIdentity {
            id,
            name,
            trigger_or_action,
            run_id: Some(run_id),
            workflow,
            run_attributes: None,
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    let exception_type = prop_oneof![Just(""), Just("std::io::Error")];
    (text(), exception_type, option::of(text())).prop_map(
        |(error_type, exception_type, message)| Failure {
            error_type: Cow::Owned(error_type),
            exception_type,
            message,
        },
    )
}

fn ending() -> impl Strategy<Value = Ending> {
    let status = prop_oneof![
        Just(UnitStatus::Success),
        Just(UnitStatus::Failed),
        Just(UnitStatus::TimedOut),
        Just(UnitStatus::Cancelled),
        Just(UnitStatus::Rejected),
    ];
    let attributes = prop_oneof![2 => Just(Vec::new()), 1 => vec(repeated_attribute(), 1..3)];
    (status, option::of(failure()), any::<bool>(), attributes).prop_map(
        |(status, failure, expected, attributes)| Ending {
            status,
            failure,
            expected,
            returned: true,
            attributes,
        },
    )
}

prop_compose! {
    pub(crate) fn span_end()(
        elapsed in any::<u32>(),
        ending in ending(),
        suspended in option::weighted(0.2, text()),
        retries in 0_i64..3,
        ok_status in any::<bool>(),
        exceptions in prop_oneof![
            Just(Exceptions::SpanEvent), Just(Exceptions::Log), Just(Exceptions::Both)
        ],
    ) -> SpanEnd {
        SpanEnd {
            elapsed: Duration::from_micros(u64::from(elapsed)),
            ending,
            suspended: suspended.map(Cow::Owned),
            retries,
            ok_status,
            exceptions,
        }
    }
}

prop_compose! {
    /// A span before its start, without ids.
    pub(crate) fn new_unit_span()(
        is_workflow in any::<bool>(),
        span_kind in kind(),
        name in text(),
        started in time(),
        identity in identity(),
        gen_ai in option::of(prop_oneof![
            Just(GenAiNames::Released), Just(GenAiNames::Latest), Just(GenAiNames::Both)
        ]),
    ) -> UnitSpan {
        UnitSpan {
            kind: if is_workflow { UnitKind::Workflow } else { UnitKind::Agent },
            context: SpanContext::NONE,
            parent_id: SpanId::INVALID,
            parent_is_remote: false,
            span_kind,
            name: name.into(),
            started,
            identity,
            gen_ai,
            fields: FieldList::default(),
            rare: None,
        }
    }
}

prop_compose! {
    /// A span that has ended, recorded under `limits`.
    pub(crate) fn unit_span(limits: RecordLimits)(
        mut span in new_unit_span(),
        context in context(),
        parent in (prop_oneof![Just([0; 8]), any::<[u8; 8]>()], any::<bool>()),
        changes in vec(change(), 0..6),
        end in span_end(),
    ) -> (UnitSpan, SpanEnd) {
        span.context = context;
        span.parent_id = SpanId::from_bytes(parent.0);
        span.parent_is_remote = parent.1;
        changes.into_iter().for_each(|change| change.apply(&mut span, &limits));
        (span, end)
    }
}
