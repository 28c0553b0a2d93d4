//! Text and location of a panic in a unit.
//!
//! The text is taken from the payload, whatever hook the program has. Only a panic hook is given
//! the location: [`install_hook`] adds one in front of the hook of the program, which is called as
//! before. If the program replaces the hooks later, panics are recorded without a location.

use crate::text::bounded;
use crate::text::redact::redact_urls;
use crate::unit::ending::Ending;
use crate::unit::stack;
use std::any::Any;
use std::panic::Location;
use std::sync::Once;

/// Text of a panic whose payload is no string.
const NO_TEXT: &str = "the function panicked with a value that is not text";

/// Outcome of a unit that a panic leaves: its payload is not known here.
#[cold]
pub(super) fn unknown() -> Ending {
    let last = stack::last_panic().filter(|_| std::thread::panicking());
    Ending::panicked(last.unwrap_or_else(|| "the function panicked".to_owned()))
}

/// Outcome of a unit whose body panicked with `payload`.
#[cold]
pub(super) fn ending(payload: &(dyn Any + Send)) -> Ending {
    let text = text_of(payload);
    let message = || redact_urls(bounded::format(format_args!("{}", text.unwrap_or(NO_TEXT))));
    Ending::panicked(stack::last_panic_with(text).unwrap_or_else(message))
}

fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    match payload.downcast_ref::<&'static str>() {
        Some(text) => Some(text),
        None => payload.downcast_ref::<String>().map(String::as_str),
    }
}

/// Adds the panic hook, once per process.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    // A hook cannot be set by a thread that panics.
    if std::thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let programs_own = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if let Some(location) = info.location() {
                let text = text_of(info.payload());
                stack::set_last_panic(text, || {
                    let (text, location) = (text.unwrap_or(NO_TEXT), describe(location));
                    redact_urls(bounded::format(format_args!("{text} at {location}")))
                });
            }
            programs_own(info);
        }));
    });
}

/// Returns `src/main.rs:4:5`. Of an absolute path, which names directories of the build machine,
/// only the part from the crate on.
fn describe(location: &Location<'_>) -> String {
    let file = location.file();
    let is_absolute = file.starts_with('/') || file.contains(":\\");
    let shown = match (is_absolute, file.rfind("/src/")) {
        (false, _) => file,
        (true, Some(source)) => {
            file[..source].rfind('/').map_or(file, |parent| &file[parent + 1..])
        }
        (true, None) => file.rsplit(['/', '\\']).next().unwrap_or(file),
    };
    format!("{shown}:{}:{}", location.line(), location.column())
}
