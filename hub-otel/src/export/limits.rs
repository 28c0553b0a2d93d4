//! Cuts what is too large, on the thread that ends the span: a length check for each value, and work only for those
//! that are over it. A span or a log record never takes more than 64 KiB.

use crate::config::ValueLimit;
use opentelemetry::Array;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::Value;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::trace::SpanData;

/// What one span or one log record may take.
pub(crate) const ITEM: usize = 64 * 1024;

/// Where `text` has to be cut, if it has to be.
fn cut_at(text: &str, limit: ValueLimit) -> Option<usize> {
    match limit {
        ValueLimit::Bytes(limit) if text.len() > limit => {
            Some((0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0))
        }
        ValueLimit::Characters(limit) if text.len() > limit => {
            text.char_indices().nth(limit).map(|(at, _)| at)
        }
        _ => None,
    }
}

/// Cuts a text value. The rest of it is freed, which `truncate` would not do.
fn cut_text(text: &StringValue, limit: ValueLimit) -> Option<StringValue> {
    cut_at(text.as_str(), limit).map(|at| StringValue::from(text.as_str()[..at].to_owned()))
}

fn cut_value(value: &mut Value, limit: ValueLimit) {
    match value {
        Value::String(text) => {
            if let Some(short) = cut_text(text, limit) {
                *text = short;
            }
        }
        Value::Array(Array::String(texts)) => {
            for text in texts.iter_mut() {
                if let Some(short) = cut_text(text, limit) {
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
            texts.iter().map(|text| text.as_str().len() + 24).sum()
        }
        Value::Array(Array::Bool(list)) => list.len(),
        Value::Array(Array::I64(list)) => list.len() * 8,
        Value::Array(Array::F64(list)) => list.len() * 8,
        _ => 8,
    }
}

/// Cuts the values of `attributes`, drops those that no longer fit into `room`; how many were dropped.
fn fit(attributes: &mut Vec<KeyValue>, limit: ValueLimit, room: &mut usize) -> u32 {
    let mut dropped = 0;
    attributes.retain_mut(|attribute| {
        cut_value(&mut attribute.value, limit);
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

/// Cuts `span` to its limits; its size in bytes.
pub(crate) fn span(span: &mut SpanData, limit: ValueLimit) -> usize {
    let base = size_of::<SpanData>();
    let mut room = ITEM - base;
    if span.name.len() > ITEM / 16 {
        let at = cut_at(&span.name, ValueLimit::Bytes(ITEM / 16)).unwrap_or(0);
        span.name = span.name[..at].to_owned().into();
    }
    room -= span.name.len();
    if let opentelemetry::trace::Status::Error { description } = &mut span.status {
        if let Some(at) = cut_at(description, limit) {
            *description = description[..at].to_owned().into();
        }
        room = room.saturating_sub(description.len());
    }
    span.dropped_attributes_count += fit(&mut span.attributes, limit, &mut room);
    let mut lost = 0;
    span.events.events.retain_mut(|event| {
        let size = 96 + event.name.len();
        if size > room {
            lost += 1;
            return false;
        }
        room -= size;
        event.dropped_attributes_count += fit(&mut event.attributes, limit, &mut room);
        true
    });
    span.events.dropped_count += lost;
    let mut lost = 0;
    span.links.links.retain_mut(|link| {
        let size = 96;
        if size > room {
            lost += 1;
            return false;
        }
        room -= size;
        link.dropped_attributes_count += fit(&mut link.attributes, limit, &mut room);
        true
    });
    span.links.dropped_count += lost;
    ITEM - room
}

fn cut_any(value: &mut AnyValue, limit: ValueLimit, depth: usize) -> usize {
    match &mut value.value {
        Some(any_value::Value::StringValue(text)) => {
            if let Some(at) = cut_at(text, limit) {
                *text = text[..at].to_owned();
            }
            text.len() + 24
        }
        Some(any_value::Value::BytesValue(bytes)) => {
            let (ValueLimit::Bytes(most) | ValueLimit::Characters(most)) = limit;
            if bytes.len() > most {
                *bytes = bytes[..most].to_vec();
            }
            bytes.len() + 24
        }
        // A structure that is nested deeper than any reader follows is left out.
        Some(_) if depth == 0 => {
            value.value = None;
            0
        }
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter_mut().map(|value| cut_any(value, limit, depth - 1)).sum()
        }
        Some(any_value::Value::KvlistValue(list)) => list
            .values
            .iter_mut()
            .map(|entry| {
                entry.key.len()
                    + entry.value.as_mut().map_or(0, |value| cut_any(value, limit, depth - 1))
            })
            .sum(),
        _ => 8,
    }
}

/// Cuts `record` to its limits; its size in bytes.
pub(crate) fn record(record: &mut LogRecord, limit: ValueLimit, most_attributes: usize) -> usize {
    let mut room = ITEM - size_of::<LogRecord>();
    if let Some(body) = &mut record.body {
        let size = cut_any(body, limit, 8);
        if size > room {
            record.body = None;
        } else {
            room -= size;
        }
    }
    let mut kept = 0;
    let mut dropped = 0;
    record.attributes.retain_mut(|attribute| {
        let value = attribute.value.as_mut().map_or(0, |value| cut_any(value, limit, 8));
        let size = 64 + attribute.key.len() + value;
        let fits = size <= room && kept < most_attributes;
        if fits {
            room -= size;
            kept += 1;
        } else {
            dropped += 1;
        }
        fits
    });
    record.dropped_attributes_count += dropped;
    ITEM - room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_between_characters_and_never_inside_one() {
        assert_eq!(cut_at("aé", ValueLimit::Bytes(2)), Some(1));
        assert_eq!(cut_at("aéx", ValueLimit::Characters(2)), Some(3));
        assert_eq!(cut_at("aé", ValueLimit::Characters(2)), None);
        assert_eq!(cut_at("abc", ValueLimit::Bytes(3)), None);
    }
}
