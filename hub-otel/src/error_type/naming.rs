//! Identifier of an error from the path of its type: crate and type in snake_case.

use crate::semconv::error_type as error_types;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

/// Pointers whose content identifies the error.
const POINTERS: &[&str] = &["alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<"];
/// Crates of the standard library, whose types are identified without their crate.
const STANDARD: &[&str] = &["core", "alloc", "std"];
/// Limit of the identifiers that are kept, which are never freed.
const MAX_CACHED: usize = 1_024;
/// Types that hide the error.
const ERASED: &[&str] = &["anyhow::Error", "eyre::Report"];

/// Returns the identifier of an error type without [`ErrorType`](super::ErrorType).
///
/// `sqlx_core::error::Error` is `sqlx_error`: a facade re-exports its `_core` crate. A type of the
/// standard library is named alone (`parse_int_error`), an `Error` of it with its module
/// (`fmt_error`). Types that hide the error are `_OTHER`.
///
/// The identifiers of the first [`MAX_CACHED`] types are kept: a program has few types of errors,
/// and making one costs as much as the rest of a unit.
pub(crate) fn of_type_name(name: &'static str) -> Cow<'static, str> {
    static CACHE: RwLock<Option<FxHashMap<&str, &str>>> = RwLock::new(None);
    let cache = CACHE.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(identifier) = cache.as_ref().and_then(|cache| cache.get(name)) {
        return Cow::Borrowed(identifier);
    }
    drop(cache);
    let identifier = make_identifier(name);
    let mut cache = CACHE.write().unwrap_or_else(PoisonError::into_inner);
    let cache = cache.get_or_insert_default();
    if cache.len() >= MAX_CACHED {
        return identifier;
    }
    let kept = cache.entry(name).or_insert_with(|| match identifier {
        Cow::Borrowed(identifier) => identifier,
        Cow::Owned(identifier) => Box::leak(identifier.into_boxed_str()),
    });
    Cow::Borrowed(kept)
}

fn make_identifier(name: &'static str) -> Cow<'static, str> {
    let name = strip_pointers(name);
    let path = name.split('<').next().unwrap_or(name);
    let is_path = path.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && !path.contains([' ', '[', '(']);
    if !is_path || ERASED.contains(&path) {
        return Cow::Borrowed(error_types::OTHER);
    }
    let mut segments = path.split("::");
    let krate = segments.next().unwrap_or_default();
    let Some(last) = path.rsplit("::").next().filter(|last| *last != krate) else {
        // A type of the language, such as `u8`.
        return Cow::Borrowed(krate);
    };
    let type_name = snake_case(last);
    let prefix = if STANDARD.contains(&krate) {
        let module = segments.next().unwrap_or(krate);
        if last == "Error" { module } else { "" }
    } else {
        krate.strip_suffix("_core").unwrap_or(krate)
    };
    let repeats = type_name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_'));
    Cow::Owned(if prefix.is_empty() || repeats {
        type_name
    } else {
        format!("{prefix}_{type_name}")
    })
}

fn strip_pointers(name: &'static str) -> &'static str {
    let mut name = name;
    loop {
        let referent = name.trim_start_matches('&').trim_start_matches("mut ");
        let inside = POINTERS.iter().find_map(|pointer| referent.strip_prefix(pointer));
        match inside.and_then(|inside| inside.strip_suffix('>')) {
            Some(inside) => name = inside,
            None if referent.len() < name.len() => name = referent,
            None => return name,
        }
    }
}

/// `ParseIntError` → `parse_int_error`, `HTTPError` → `http_error`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut letters = name.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(letter) = letters.next() {
        let next_is_lower = letters.peek().is_some_and(|next| next.is_lowercase());
        let starts_word = letter.is_uppercase()
            && before
                .is_some_and(|before| before != '_' && (!before.is_uppercase() || next_is_lower));
        if starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        before = Some(letter);
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::of_type_name;

    #[test]
    fn an_error_is_identified_by_crate_and_type() {
        for (name, identifier) in [
            ("my_crate::error::ScanError", "my_crate_scan_error"),
            ("my_crate::Wrapped<alloc::string::String>", "my_crate_wrapped"),
            ("&my_crate::ScanError", "my_crate_scan_error"),
            ("alloc::boxed::Box<my_crate::ScanError>", "my_crate_scan_error"),
            ("sqlx_core::error::Error", "sqlx_error"),
            ("reqwest::error::Error", "reqwest_error"),
            ("serde_json::error::Error", "serde_json_error"),
            ("redis::types::RedisError", "redis_error"),
            ("tokio::task::JoinError", "tokio_join_error"),
            ("hyper::HTTPError", "hyper_http_error"),
            ("core::fmt::Error", "fmt_error"),
            ("core::num::error::ParseIntError", "parse_int_error"),
            ("std::sync::poison::PoisonError<alloc::boxed::Box<dyn X>>", "poison_error"),
            ("alloc::boxed::Box<dyn core::error::Error>", "_OTHER"),
            ("anyhow::Error", "_OTHER"),
            ("eyre::Report", "_OTHER"),
            ("u8", "u8"),
            ("()", "_OTHER"),
            ("(a::B, a::C)", "_OTHER"),
            ("[a::B; 2]", "_OTHER"),
            ("dyn a::B", "_OTHER"),
        ] {
            assert_eq!(of_type_name(name), identifier, "{name}");
        }
    }
}
