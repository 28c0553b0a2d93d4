//! Identity arguments: literals, `&str`, `String`, `Option<_>` (`None`: omitted), and anything with Display.

use crate::shared_str::share_str;
use opentelemetry::StringValue;
use std::borrow::Cow;
use std::fmt::Display;

/// A text of the caller's, borrowed for as long as the unit opens.
#[derive(Debug, Clone)]
pub enum Text<'a> {
    /// Not given.
    None,
    /// A literal.
    Static(&'static str),
    /// A text that lives in the caller's arguments.
    Borrowed(&'a str),
    /// Written by Display.
    Owned(String),
}

impl<'a> Text<'a> {
    #[inline]
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Text::None => None,
            Text::Static(text) | Text::Borrowed(text) => Some(text),
            Text::Owned(text) => Some(text),
        }
    }

    #[inline]
    pub(crate) fn value(&self) -> Option<StringValue> {
        match self {
            Text::None => None,
            Text::Static(text) => Some(StringValue::from(*text)),
            // Shared: a run id goes to the span, to the unit and to every agent below.
            Text::Borrowed(text) => Some(share_str(text)),
            Text::Owned(text) => Some(share_str(text)),
        }
    }

    /// The same text, for longer than the caller's arguments live.
    pub(crate) fn into_owned(self) -> Text<'static> {
        match self {
            Text::None => Text::None,
            Text::Static(text) => Text::Static(text),
            Text::Borrowed(text) => Text::Owned(text.to_owned()),
            Text::Owned(text) => Text::Owned(text),
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Text::Owned(text)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text::Borrowed(text)
    }
}

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Text::Borrowed(text)
    }
}

impl<'a, T: Into<Text<'a>>> From<Option<T>> for Text<'a> {
    fn from(text: Option<T>) -> Self {
        text.map_or(Text::None, Into::into)
    }
}

/// A type that holds a text.
pub trait AsText {
    /// The text, if it is there.
    fn as_text(&self) -> Text<'_>;
}

impl AsText for str {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        Text::Borrowed(self)
    }
}

impl AsText for String {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        Text::Borrowed(self)
    }
}

impl AsText for Cow<'_, str> {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        Text::Borrowed(self)
    }
}

impl<T: AsText + ?Sized> AsText for &T {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        T::as_text(self)
    }
}

impl<T: AsText + ?Sized> AsText for &mut T {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        T::as_text(self)
    }
}

impl<T: AsText + ?Sized> AsText for Box<T> {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        T::as_text(self)
    }
}

impl<T: AsText + ?Sized> AsText for std::sync::Arc<T> {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        T::as_text(self)
    }
}

impl<T: AsText> AsText for Option<T> {
    #[inline]
    fn as_text(&self) -> Text<'_> {
        self.as_ref().map_or(Text::None, AsText::as_text)
    }
}

/// The expression of an identity argument. `(&&&&TextOf(&expression)).hub_otel_text()` finds the first way that its type
/// has to be a text. The method has a name that no user's type has: the traits are in scope of the expression.
#[derive(Debug)]
pub struct TextOf<'a, T: ?Sized>(pub &'a T);

/// The ways to be a text.
pub trait ViaText<'a> {
    /// The text.
    fn hub_otel_text(&self) -> Text<'a>;
}

impl<'a, T: AsText + ?Sized> ViaText<'a> for &&&TextOf<'a, T> {
    #[inline]
    fn hub_otel_text(&self) -> Text<'a> {
        self.0.as_text()
    }
}

impl<'a, T: Display> ViaText<'a> for &&TextOf<'a, Option<T>> {
    #[inline]
    fn hub_otel_text(&self) -> Text<'a> {
        self.0.as_ref().map_or(Text::None, |value| Text::Owned(value.to_string()))
    }
}

impl<'a, T: Display + ?Sized> ViaText<'a> for &TextOf<'a, T> {
    #[inline]
    fn hub_otel_text(&self) -> Text<'a> {
        Text::Owned(self.0.to_string())
    }
}

/// What is none of these, so that the compiler says why.
pub trait NoText<'a, T: ?Sized> {
    /// Never called.
    fn hub_otel_text(&self) -> Text<'a>
    where
        T: UnitIdentity;
}

impl<'a, T: ?Sized> NoText<'a, T> for TextOf<'a, T> {
    fn hub_otel_text(&self) -> Text<'a>
    where
        T: UnitIdentity,
    {
        Text::None
    }
}

/// A type that can identify a unit. Nothing implements it: what can is found before it is asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot identify a unit of work",
    label = "neither a text nor anything that Display writes",
    note = "identities are `&str`, `String`, an `Option` of them, or any type with Display"
)]
pub trait UnitIdentity {}
