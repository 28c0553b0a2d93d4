//! Formatting into a bounded buffer.
//!
//! `to_string` and `format!` panic if an implementation of Display or Debug returns an error, let
//! its panic through, and allocate as much as it writes. Here a failure keeps the text that was
//! written before it.

use crate::contain::contain;
use std::fmt;

/// Largest text that is taken from one value. An exported span has no room for more.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// A buffer that takes up to `max` bytes, and then stops the formatting with an error.
pub(crate) struct Bounded {
    pub(crate) text: String,
    max: usize,
}

impl Bounded {
    pub(crate) fn new(max: usize) -> Self {
        Self { text: String::new(), max }
    }

    /// Reserves room for the text of most errors.
    pub(crate) fn for_message(max: usize) -> Self {
        Self { text: String::with_capacity(64), max }
    }

    /// Appends the formatted text. Returns whether it is complete.
    pub(crate) fn append(&mut self, arguments: fmt::Arguments<'_>) -> bool {
        contain(|| fmt::write(self, arguments)).is_some_and(|written| written.is_ok())
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.max.saturating_sub(self.text.len());
        self.text.push_str(cut(part, room));
        if part.len() <= room { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Returns the first characters of `text`, up to `max` bytes.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    // `str::floor_char_boundary` needs Rust 1.91.
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Formats up to [`MAX_BYTES`]. A failure keeps what was written.
pub(crate) fn format(arguments: fmt::Arguments<'_>) -> String {
    let mut buffer = Bounded::new(MAX_BYTES);
    buffer.append(arguments);
    buffer.text
}

/// Does what [`format`] does. Returns `None` for a failure that wrote nothing.
pub(crate) fn format_some(arguments: fmt::Arguments<'_>) -> Option<String> {
    let mut buffer = Bounded::new(MAX_BYTES);
    let complete = buffer.append(arguments);
    (complete || !buffer.text.is_empty()).then_some(buffer.text)
}

#[cfg(test)]
mod tests {
    use super::{Bounded, MAX_BYTES, format, format_some};
    use std::fmt::{Display, Formatter, Result};

    struct Writes(fn(&mut Formatter<'_>) -> Result);
    impl Display for Writes {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            (self.0)(f)
        }
    }

    #[test]
    fn a_failure_keeps_what_was_written() {
        let fails = Writes(|f| f.write_str("half").and(Err(std::fmt::Error)));
        assert_eq!(format(format_args!("{fails}")), "half");
        let panics = Writes(|f| {
            f.write_str("half")?;
            std::panic::resume_unwind(Box::new("display"))
        });
        assert_eq!(format(format_args!("<{panics}>")), "<half");
        let mute = Writes(|_| Err(std::fmt::Error));
        assert_eq!(format_some(format_args!("{mute}")), None);
        assert_eq!(format_some(format_args!("")), Some(String::new()));
    }

    #[test]
    fn the_text_is_cut_on_a_character_boundary() {
        let mut buffer = Bounded::new(4);
        assert!(!buffer.append(format_args!("abcéf")));
        assert_eq!(buffer.text, "abc");
        let endless = Writes(|f| {
            loop {
                f.write_str("0123456789")?;
            }
        });
        assert_eq!(format(format_args!("{endless}")).len(), MAX_BYTES);
    }
}
