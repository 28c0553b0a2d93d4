//! Size limits of spans and log records, applied when they finish.
//!
//! Costs one length comparison per value within the limits. A span or a log record takes at most
//! 64 KiB, which bounds the memory of a queue of small items.

use crate::config::sampler::ValueLimit;
use crate::export::ended_span::EndedSpan;
use crate::export::queued_log::QueuedLog;
use crate::gen_ai::content::is_content;
use crate::unit::ending::SpanEnd;
use crate::unit::run_attributes::RunAttributes;
use crate::unit::span::UnitSpan;
use opentelemetry::Array;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::Value;
use opentelemetry::logs::AnyValue as LogValue;
use opentelemetry::trace::{Event, Link, Status};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::SpanData;

/// The size limit of one span or log record.
const MAX_ITEM_BYTES: usize = 64 * 1024;
/// The size of a name, and of an item to which no limit applies.
pub(crate) const MAX_VALUE_BYTES: usize = MAX_ITEM_BYTES / 16;

/// Estimated size of an event or link without its name and attributes.
const EVENT_BYTES: usize = 96;
/// Estimated size of a log attribute without its key and value.
const LOG_ATTRIBUTE_BYTES: usize = 64;
/// Estimated size of a string's header.
const STRING_BYTES: usize = 24;
/// Nesting limit of structured log values. Deeper values are removed.
const MAX_DEPTH: usize = 8;
/// The same of content, which a record is created with.
const MAX_CONTENT_DEPTH: usize = 16;

/// Returns the byte index at which `text` exceeds the limit, on a character boundary.
fn cut_index(text: &str, limit: ValueLimit) -> Option<usize> {
    match limit {
        ValueLimit::Bytes(limit) if text.len() > limit => {
            Some((0..=limit).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0))
        }
        ValueLimit::Characters(limit) if text.len() > limit => {
            text.char_indices().nth(limit).map(|(index, _)| index)
        }
        _ => None,
    }
}

/// Returns the shortened copy of a string over the limit. A copy, because `truncate` would keep the
/// allocation.
fn shorten(text: &StringValue, limit: ValueLimit) -> Option<StringValue> {
    cut_index(text.as_str(), limit)
        .map(|index| StringValue::from(text.as_str()[..index].to_owned()))
}

fn limit_value(value: &mut Value, limit: ValueLimit) {
    match value {
        Value::String(text) => {
            if let Some(short) = shorten(text, limit) {
                *text = short;
            }
        }
        Value::Array(Array::String(texts)) => {
            for text in texts.iter_mut() {
                if let Some(short) = shorten(text, limit) {
                    *text = short;
                }
            }
        }
        _ => {}
    }
}

fn size_of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => {
            texts.iter().map(|text| text.as_str().len() + STRING_BYTES).sum()
        }
        Value::Array(Array::Bool(values)) => values.len(),
        Value::Array(Array::I64(values)) => values.len() * 8,
        Value::Array(Array::F64(values)) => values.len() * 8,
        _ => 8,
    }
}

/// Applies the value limit to `attributes` and drops those over the remaining `room`. Returns the
/// number of dropped attributes.
fn limit_attributes(attributes: &mut Vec<KeyValue>, limit: ValueLimit, room: &mut usize) -> u32 {
    let mut dropped = 0;
    attributes.retain_mut(|attribute| {
        // Content has a limit of its own, and was cut by the rules of its syntax.
        if !is_content(attribute.key.as_str()) {
            limit_value(&mut attribute.value, limit);
        }
        let size =
            size_of::<KeyValue>() + attribute.key.as_str().len() + size_of_value(&attribute.value);
        let fits = size <= *room;
        if fits {
            *room -= size;
        } else {
            dropped += 1;
        }
        fits
    });
    dropped
}

/// Returns the size of `attributes` in bytes.
fn size_of_attributes(attributes: &[KeyValue]) -> usize {
    attributes
        .iter()
        .map(|attribute| {
            size_of::<KeyValue>() + attribute.key.as_str().len() + size_of_value(&attribute.value)
        })
        .sum()
}

fn size_of_events(events: &[Event]) -> usize {
    let size =
        |event: &Event| EVENT_BYTES + event.name.len() + size_of_attributes(&event.attributes);
    events.iter().map(size).sum()
}

fn size_of_links(links: &[Link]) -> usize {
    links.iter().map(|link| EVENT_BYTES + size_of_attributes(&link.attributes)).sum()
}

fn size_of_description(status: &Status) -> usize {
    match status {
        Status::Error { description } => description.len(),
        Status::Ok | Status::Unset => 0,
    }
}

/// Returns the size of `span` in bytes, as [`limit_span`] counts it.
fn size_of_span(span: &SpanData) -> usize {
    size_of::<SpanData>()
        + span.name.len()
        + size_of_description(&span.status)
        + size_of_attributes(&span.attributes)
        + size_of_events(&span.events.events)
        + size_of_links(&span.links.links)
}

/// Applies the limits to `span`. Returns its size in bytes.
pub(crate) fn limit_span(span: &mut SpanData, limit: ValueLimit) -> usize {
    // Most spans are smaller than the limit of one value, which one sum shows.
    let size = size_of_span(span);
    let (ValueLimit::Bytes(max) | ValueLimit::Characters(max)) = limit;
    if size - size_of::<SpanData>() <= max.min(MAX_VALUE_BYTES) {
        return size;
    }
    let mut room = MAX_ITEM_BYTES - size_of::<SpanData>();
    if span.name.len() > MAX_VALUE_BYTES {
        let index = cut_index(&span.name, ValueLimit::Bytes(MAX_VALUE_BYTES)).unwrap_or(0);
        span.name = span.name[..index].to_owned().into();
    }
    room -= span.name.len();
    if let Status::Error { description } = &mut span.status {
        if let Some(index) = cut_index(description, limit) {
            *description = description[..index].to_owned().into();
        }
        room = room.saturating_sub(description.len());
    }
    span.dropped_attributes_count += limit_attributes(&mut span.attributes, limit, &mut room);
    let mut dropped = 0;
    span.events.events.retain_mut(|event| {
        let size = EVENT_BYTES + event.name.len();
        if size > room {
            dropped += 1;
            return false;
        }
        room -= size;
        event.dropped_attributes_count += limit_attributes(&mut event.attributes, limit, &mut room);
        true
    });
    span.events.dropped_count += dropped;
    let mut dropped = 0;
    span.links.links.retain_mut(|link| {
        if EVENT_BYTES > room {
            dropped += 1;
            return false;
        }
        room -= EVENT_BYTES;
        link.dropped_attributes_count += limit_attributes(&mut link.attributes, limit, &mut room);
        true
    });
    span.links.dropped_count += dropped;
    MAX_ITEM_BYTES - room
}

/// Returns the size of the span of a unit in bytes. `None` if it may exceed a limit: nearly all
/// spans are smaller than the limit of one value, which one sum shows.
pub(crate) fn size_of_unit_span(
    span: &UnitSpan,
    end: &SpanEnd,
    limit: ValueLimit,
) -> Option<usize> {
    let text = |text: &Option<StringValue>| text.as_ref().map_or(0, |text| text.as_str().len());
    let field = |attribute: &KeyValue| {
        size_of::<KeyValue>() + attribute.key.as_str().len() + size_of_value(&attribute.value)
    };
    let identity = &span.identity;
    let mut size = span.name.len()
        + identity.id.as_str().len()
        + identity.trigger_or_action.as_str().len()
        + text(&identity.name)
        + text(&identity.run_id)
        + span.fields.iter().map(field).sum::<usize>();
    if span.gen_ai.is_some() {
        size += identity.id.as_str().len() + 2 * text(&identity.name);
    }
    size += identity.run_attributes.iter().flat_map(RunAttributes::iter).map(field).sum::<usize>();
    if let Some(workflow) = &identity.workflow {
        size += workflow.id.as_str().len() + text(&workflow.run_id);
    }
    size += size_of_attributes(&end.ending.attributes);
    size += end.suspended.as_ref().map_or(0, |reason| reason.len());
    if let Some(failure) = &end.ending.failure {
        size += failure.error_type().len() + failure.description().len();
    }
    if let Some(rare) = &span.rare {
        size += size_of_events(&rare.events) + size_of_links(&rare.links);
        size += size_of_description(&rare.user_status);
    }
    let (ValueLimit::Bytes(max) | ValueLimit::Characters(max)) = limit;
    let own = size_of::<EndedSpan>() + size_of::<UnitSpan>();
    (size <= max.min(MAX_VALUE_BYTES)).then_some(own + size)
}

/// Applies the value limit to a structured value. Returns its size in bytes.
fn limit_any_value(value: &mut AnyValue, limit: ValueLimit, depth: usize) -> usize {
    match &mut value.value {
        Some(any_value::Value::StringValue(text)) => {
            if let Some(index) = cut_index(text, limit) {
                *text = text[..index].to_owned();
            }
            text.len() + STRING_BYTES
        }
        Some(any_value::Value::BytesValue(bytes)) => {
            let (ValueLimit::Bytes(max) | ValueLimit::Characters(max)) = limit;
            if bytes.len() > max {
                *bytes = bytes[..max].to_vec();
            }
            bytes.len() + STRING_BYTES
        }
        // Nested too deeply.
        Some(_) if depth == 0 => {
            value.value = None;
            0
        }
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter_mut().map(|value| limit_any_value(value, limit, depth - 1)).sum()
        }
        Some(any_value::Value::KvlistValue(list)) => list
            .values
            .iter_mut()
            .map(|entry| {
                entry.key.len()
                    + entry
                        .value
                        .as_mut()
                        .map_or(0, |value| limit_any_value(value, limit, depth - 1))
            })
            .sum(),
        _ => 8,
    }
}

/// Returns the size of a log record in bytes. `None` if it may exceed a limit, or has a nested
/// value.
pub(crate) fn size_of_log_record(
    record: &SdkLogRecord,
    limit: ValueLimit,
    max_attributes: usize,
) -> Option<usize> {
    let (mut size, mut attributes) = (0, 0);
    let values = record.attributes_iter().map(|(key, value)| {
        attributes += 1;
        size += LOG_ATTRIBUTE_BYTES + key.as_str().len();
        value
    });
    let mut texts = 0;
    for value in values.chain(record.body()) {
        texts += match value {
            LogValue::Int(_) | LogValue::Double(_) | LogValue::Boolean(_) => 8,
            LogValue::String(text) => text.as_str().len(),
            LogValue::Bytes(bytes) => bytes.len(),
            _ => return None,
        };
    }
    size += texts;
    let (ValueLimit::Bytes(max) | ValueLimit::Characters(max)) = limit;
    let fits = size <= max.min(MAX_VALUE_BYTES) && attributes <= max_attributes;
    fits.then_some(size_of::<QueuedLog>() + size_of::<SdkLogRecord>() + size)
}

/// Applies the limits to `record`. Returns its size in bytes.
pub(crate) fn limit_log_record(
    record: &mut LogRecord,
    limit: ValueLimit,
    max_attributes: usize,
) -> usize {
    let mut room = MAX_ITEM_BYTES - size_of::<LogRecord>();
    if let Some(body) = &mut record.body {
        let size = limit_any_value(body, limit, MAX_DEPTH);
        if size > room {
            record.body = None;
        } else {
            room -= size;
        }
    }
    let mut kept = 0;
    let mut dropped = 0;
    record.attributes.retain_mut(|attribute| {
        // Content has a limit of its own, and was cut by the rules of its syntax.
        let (limit, depth) = if is_content(&attribute.key) {
            (ValueLimit::Bytes(MAX_ITEM_BYTES), MAX_CONTENT_DEPTH)
        } else {
            (limit, MAX_DEPTH)
        };
        let value =
            attribute.value.as_mut().map_or(0, |value| limit_any_value(value, limit, depth));
        let size = LOG_ATTRIBUTE_BYTES + attribute.key.len() + value;
        let fits = size <= room && kept < max_attributes;
        if fits {
            room -= size;
            kept += 1;
        } else {
            dropped += 1;
        }
        fits
    });
    record.dropped_attributes_count += dropped;
    MAX_ITEM_BYTES - room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_on_a_character_boundary() {
        assert_eq!(cut_index("aé", ValueLimit::Bytes(2)), Some(1));
        assert_eq!(cut_index("aéx", ValueLimit::Characters(2)), Some(3));
        assert_eq!(cut_index("aé", ValueLimit::Characters(2)), None);
        assert_eq!(cut_index("abc", ValueLimit::Bytes(3)), None);
    }
}
