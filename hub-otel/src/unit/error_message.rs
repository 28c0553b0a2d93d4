//! Message of an error: its text and the texts of its sources, bounded and without secret URLs.

use crate::contain::contain;
use crate::error_type::known::MAX_SOURCES;
use crate::text::bounded::{Bounded, MAX_BYTES, format};
use crate::text::redact::redact_urls;
use std::error::Error;
use std::fmt::{Debug, Display};

/// Message of an error, formatted only if the unit is sampled.
pub enum ErrorMessage<'a> {
    /// An error with its source chain.
    Error(&'a (dyn Error + 'a)),
    /// Text of an error whose type was erased, and its cause.
    Display(&'a (dyn Display + 'a), Option<&'a (dyn Error + 'static)>),
    /// Text of an error of anyhow or eyre: the alternate format contains the chain.
    Alternate(&'a (dyn Display + 'a)),
    /// Text of an error without Display.
    Debug(&'a (dyn Debug + 'a)),
    /// The error has no text.
    None,
}

impl std::fmt::Debug for ErrorMessage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ErrorMessage").finish_non_exhaustive()
    }
}

impl ErrorMessage<'_> {
    /// Returns the text: `step failed: disk full`. `None` if there is none.
    pub(super) fn format(&self) -> Option<String> {
        let mut message = Bounded::for_message(MAX_BYTES);
        match self {
            Self::Error(error) => {
                message.append(format_args!("{error}"));
                append_sources(&mut message, contain(|| error.source()).flatten());
            }
            Self::Display(text, source) => {
                message.append(format_args!("{text}"));
                append_sources(&mut message, *source);
            }
            Self::Alternate(text) => {
                message.append(format_args!("{text:#}"));
            }
            Self::Debug(text) => {
                message.append(format_args!("{text:?}"));
            }
            Self::None => {}
        }
        Some(redact_urls(message.text)).filter(|message| !message.is_empty())
    }
}

/// Appends the sources. Many errors print their source themselves: it is not repeated.
fn append_sources(message: &mut Bounded, first: Option<&(dyn Error + 'static)>) {
    let mut source = first;
    for _ in 0..MAX_SOURCES {
        let Some(error) = source else { break };
        let text = format(format_args!("{error}"));
        if !message.text.contains(&text) {
            message.append(format_args!(": {text}"));
        }
        source = contain(|| error.source()).flatten();
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorMessage;
    use std::error::Error;
    use std::fmt::{Display, Formatter, Result};

    #[derive(Debug)]
    struct Step(&'static str, Option<Box<Step>>);
    impl Display for Step {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            f.write_str(self.0)
        }
    }
    impl Error for Step {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|step| -> &(dyn Error + 'static) { step })
        }
    }

    #[derive(Debug)]
    struct Endless;
    impl Display for Endless {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "endless {:p}", self)
        }
    }
    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Endless)
        }
    }

    #[test]
    fn the_message_has_each_source_once_and_no_secret_of_a_url() {
        let cause = Step("refused by http://h.test/secret", None);
        let chain = Step("step failed", Some(Box::new(Step("send", Some(Box::new(cause))))));
        assert_eq!(
            ErrorMessage::Error(&chain).format().as_deref(),
            Some("step failed: send: refused by http://h.test/REDACTED")
        );
        let repeats = Step("send: refused", Some(Box::new(Step("refused", None))));
        assert_eq!(ErrorMessage::Error(&repeats).format().as_deref(), Some("send: refused"));
        assert_eq!(ErrorMessage::Error(&Step("", None)).format(), None);
    }

    #[test]
    fn a_circle_of_sources_ends() {
        assert!(ErrorMessage::Error(&Endless).format().is_some());
    }
}
