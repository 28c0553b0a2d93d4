//! Reduction of JSON to a size, with valid JSON as the result.
//!
//! In this order, until the text fits: long strings are cut, and state by how much; the oldest
//! elements of the list, the last members of the object are dropped, and their number is stated; a
//! note replaces the whole.

use crate::gen_ai::content::secrets;
use crate::text::bounded::cut;
use serde_json::{Map, Value, json};

/// The largest text that is parsed. Only a note is recorded of a larger one.
const MAX_PARSED: usize = 8 * 1024 * 1024;

/// Name of the member that states how many members were dropped.
const DROPPED: &str = "dropped_members";

/// Returns the content as it is recorded, in `max` bytes: without secrets, and cut. Content that
/// is no JSON is cut as text. `None` if `max` leaves no room.
pub(super) fn prepare(text: &str, max: usize, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    if text.len() > MAX_PARSED {
        return note(text.len(), max);
    }
    let looks_like_json = text.trim_start().starts_with(['[', '{', '"']);
    if looks_like_json && let Ok(mut value) = serde_json::from_str::<Value>(text) {
        let is_changed = secrets::redact(&mut value, is_secret);
        if !is_changed && text.len() <= max {
            return Some(text.to_owned());
        }
        return fit(value, max);
    }
    let redacted = secrets::redact_text(text);
    let text = redacted.as_deref().unwrap_or(text);
    if text.len() <= max {
        return Some(text.to_owned());
    }
    // Broken JSON, or JSON with a number that is out of range: as a string it can be read.
    if looks_like_json { fit(Value::from(text), max) } else { Some(cut(text, max).to_owned()) }
}

/// Returns `value` as JSON of up to `max` bytes.
fn fit(mut value: Value, max: usize) -> Option<String> {
    let whole = value.to_string();
    if whole.len() <= max {
        return Some(whole);
    }
    cut_strings(&mut value, max / 4);
    let shorter = value.to_string();
    if shorter.len() <= max {
        return Some(shorter);
    }
    let reduced = match value {
        Value::Array(items) => drop_oldest(items, max),
        Value::Object(members) => drop_last(members, max),
        _ => None,
    };
    reduced.filter(|reduced| reduced.len() <= max).or_else(|| note(whole.len(), max))
}

/// Cuts every string to `max` bytes.
fn cut_strings(value: &mut Value, max: usize) {
    match value {
        Value::String(text) if text.len() > max => {
            let kept = cut(text, max);
            let dropped = text.len() - kept.len();
            *text = format!("{kept}… [{dropped} bytes cut]");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut_strings(item, max)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| cut_strings(member, max));
        }
        _ => {}
    }
}

/// Returns the newest items that fit, after one that states the number of the others. `None` if
/// none fits.
fn drop_oldest(items: Vec<Value>, max: usize) -> Option<String> {
    let all = items.len();
    // The statement is longest if all are dropped.
    let mut size = statement(&items, all).to_string().len() + "[]".len();
    let mut kept = Vec::new();
    for item in items.iter().rev() {
        let text = item.to_string();
        size += text.len() + ",".len();
        if size > max {
            break;
        }
        kept.push(text);
    }
    if kept.is_empty() {
        return None;
    }
    let mut parts = vec![statement(&items, all - kept.len()).to_string()];
    parts.extend(kept.into_iter().rev());
    Some(format!("[{}]", parts.join(",")))
}

/// Returns the item that states that `dropped` of `items` were dropped, in the form of an item.
fn statement(items: &[Value], dropped: usize) -> Value {
    let has = |name: &str| items.iter().all(|item| item.get(name).is_some());
    if has("role") {
        let text = format!("[{dropped} messages dropped]");
        json!({ "role": "system", "parts": [{ "type": "text", "content": text }] })
    } else if has("type") {
        json!({ "type": "text", "content": format!("[{dropped} parts dropped]") })
    } else {
        Value::from(format!("[{dropped} items dropped]"))
    }
}

/// Returns the first members that fit, and the number of the others. `None` if none fits.
fn drop_last(members: Map<String, Value>, max: usize) -> Option<String> {
    let all = members.len();
    let mut size = json!({ DROPPED: all }).to_string().len();
    let mut kept = Map::new();
    for (name, value) in members {
        // Name, colon and comma.
        size += Value::from(name.as_str()).to_string().len() + value.to_string().len() + 2;
        if size > max {
            break;
        }
        kept.insert(name, value);
    }
    if kept.is_empty() {
        return None;
    }
    let dropped = all - kept.len();
    kept.insert(DROPPED.to_owned(), Value::from(dropped));
    Some(Value::Object(kept).to_string())
}

/// Returns the note in place of content of `bytes`.
fn note(bytes: usize, max: usize) -> Option<String> {
    let note = format!("\"[{bytes} bytes dropped]\"");
    (note.len() <= max).then_some(note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prepared(text: &str, max: usize) -> String {
        prepare(text, max, &|key| key == "password").expect("room")
    }

    /// The order of members is that of a feature of serde_json, which other crates may enable.
    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn what_fits_is_unchanged() {
        for text in ["{ \"a\" : 1e2 }", "[]", "plain text", "\"x\"", "{broken", ""] {
            assert_eq!(prepared(text, 20), text);
        }
    }

    #[test]
    fn strings_are_cut_first() {
        let text = json!([{ "parts": ["é".repeat(100), "short"], "role": "user" }]).to_string();
        let expected = "[{\"parts\":[\"ééééééééé… [182 bytes cut]\",\"short\"],\"role\":\"user\"}]";
        assert_eq!(prepared(&text, 76), expected);
    }

    #[test]
    fn the_newest_messages_are_kept_and_the_others_are_counted() {
        let message = |number: usize| json!({ "role": "user", "parts": [number] });
        let text = Value::from((0..100).map(message).collect::<Vec<_>>()).to_string();
        let expected = json!([
            { "role": "system", "parts": [{ "type": "text", "content": "[98 messages dropped]" }] },
            { "role": "user", "parts": [98] },
            { "role": "user", "parts": [99] },
        ]);
        assert_eq!(parsed(&prepared(&text, 150)), expected);
    }

    #[test]
    fn members_are_dropped_and_counted() {
        let members = (0..20).map(|number| (format!("k{number:02}"), Value::from(number)));
        let text = Value::Object(members.collect()).to_string();
        let expected = json!({ "dropped_members": 18, "k00": 0, "k01": 1 });
        assert_eq!(parsed(&prepared(&text, 45)), expected);
    }

    #[test]
    fn a_note_replaces_what_cannot_be_reduced() {
        let text = json!([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]]).to_string();
        assert_eq!(prepared(&text, 24), "\"[36 bytes dropped]\"");
        assert_eq!(prepare(&text, 4, &|_| false), None);
    }

    #[test]
    fn broken_json_is_cut_as_a_string_and_text_as_text() {
        let broken = format!("{{\"a\": {}", "x".repeat(100));
        let cut: String = serde_json::from_str(&prepared(&broken, 60)).expect("a string");
        assert!(cut.starts_with("{\"a\": x") && cut.ends_with("bytes cut]"), "{cut}");
        assert_eq!(prepared("élan", 3), "él");
    }

    /// Any JSON, nested, with secrets.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,200}".prop_map(Value::from),
            "[\\x00-\\x1f\"\\\\]{0,50}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let name =
                prop_oneof!["[a-z]{1,8}", Just("role".to_owned()), Just("password".to_owned())];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_that_was_cut_is_json_within_the_limit(value in any_json(), max in 0_usize..2_000) {
            let text = value.to_string();
            if let Some(prepared) = prepare(&text, max, &|key| key == "password") {
                prop_assert!(prepared.len() <= max);
                let is_json = serde_json::from_str::<Value>(&prepared).is_ok();
                prop_assert!(is_json, "{prepared}");
            } else {
                prop_assert!(max < 40);
            }
        }

        #[test]
        fn text_of_any_kind_is_cut_within_the_limit(text in ".{0,300}", max in 0_usize..200) {
            if let Some(prepared) = prepare(&text, max, &|_| false) {
                prop_assert!(prepared.len() <= max);
            }
        }
    }
}
