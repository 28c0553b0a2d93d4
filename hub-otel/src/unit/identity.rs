//! Values of identity arguments: literals, `&str`, `String`, an `Option` of one (`None` omits the
//! argument), and any type with Display. Run ids.

use crate::shared_str::share_str;
use crate::text::bounded;
use crate::unit::run_attributes::RunAttributes;
use opentelemetry::StringValue;
use std::borrow::Cow;
use std::fmt::Display;
#[cfg(feature = "sdk")]
use std::time::{SystemTime, UNIX_EPOCH};

/// Value of an identity argument. Borrowed until the unit has started.
#[derive(Debug, Clone)]
pub enum IdentityValue<'a> {
    /// Not set.
    Absent,
    /// A literal.
    Static(&'static str),
    /// Borrowed from the arguments of the call.
    Borrowed(&'a str),
    /// Formatted with Display, or owned by a builder.
    Owned(String),
}

impl IdentityValue<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Static(value) => Some(value),
            Self::Borrowed(value) => Some(value),
            Self::Owned(value) => Some(value),
        }
    }

    /// Formats a value. A failure that wrote nothing leaves the argument unset.
    fn formatted(value: &(impl Display + ?Sized)) -> IdentityValue<'static> {
        let text = bounded::format_some(format_args!("{value}"));
        text.map_or(IdentityValue::Absent, IdentityValue::Owned)
    }

    /// Returns a value whose clones do not allocate: attributes, agents and handles share it.
    pub(crate) fn to_shared(&self) -> Option<StringValue> {
        match self {
            Self::Absent => None,
            Self::Static(value) => Some(StringValue::from(*value)),
            Self::Borrowed(value) => Some(share_str(value)),
            Self::Owned(value) => Some(share_str(value)),
        }
    }

    /// Detaches the value from the arguments of the call.
    pub(crate) fn into_owned(self) -> IdentityValue<'static> {
        match self {
            Self::Absent => IdentityValue::Absent,
            Self::Static(value) => IdentityValue::Static(value),
            Self::Borrowed(value) => IdentityValue::Owned(value.to_owned()),
            Self::Owned(value) => IdentityValue::Owned(value),
        }
    }
}

/// Identity of a unit, from the arguments of the call and the literals of its call site.
#[derive(Debug, Clone)]
pub(crate) struct StartIdentity {
    pub(crate) id: StringValue,
    pub(crate) name: Option<StringValue>,
    pub(crate) trigger_or_action: StringValue,
    /// `None` until an attribute or an agent needs it.
    pub(crate) run_id: Option<StringValue>,
    /// Workflow around an agent.
    pub(crate) workflow: Option<ParentWorkflow>,
    /// Attributes of the run, inherited and own.
    pub(crate) run_attributes: Option<RunAttributes>,
}

/// Identity of the workflow that an agent runs in.
///
/// Also a context value of its own: the run that a remote caller handed over.
#[derive(Debug, Clone)]
pub(crate) struct ParentWorkflow {
    pub(crate) id: StringValue,
    /// `None` if a remote caller sent only the id.
    pub(crate) run_id: Option<StringValue>,
}

/// Returns a new run id: a UUIDv7, so that ids sort by time.
#[cfg(feature = "sdk")]
pub(crate) fn new_run_id() -> StringValue {
    let mut buffer = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    share_str(new_uuid(SystemTime::now()).hyphenated().encode_lower(&mut buffer))
}

/// Returns a UUIDv7 of a time. `Uuid::now_v7` panics if the clock is before 1970.
#[cfg(feature = "sdk")]
pub(crate) fn new_uuid(now: SystemTime) -> uuid::Uuid {
    use std::sync::Mutex;
    use uuid::{ContextV7, Timestamp};
    /// Orders the ids of one millisecond.
    static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    uuid::Uuid::new_v7(Timestamp::from_unix(&CONTEXT, since.as_secs(), since.subsec_nanos()))
}

/// Without the SDK no unit is recorded.
#[cfg(not(feature = "sdk"))]
pub(crate) fn new_run_id() -> StringValue {
    StringValue::from("")
}

/// A type that is a string, or contains one.
pub trait AsIdentity {
    /// Returns the string.
    fn as_identity(&self) -> IdentityValue<'_>;
}

macro_rules! strings {
    ($($string:ty),*) => {$(
        impl AsIdentity for $string {
            #[inline]
            fn as_identity(&self) -> IdentityValue<'_> {
                IdentityValue::Borrowed(self)
            }
        }
    )*};
}

strings!(str, String, Cow<'_, str>);

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<T: AsIdentity + ?Sized> AsIdentity for $pointer {
            #[inline]
            fn as_identity(&self) -> IdentityValue<'_> {
                T::as_identity(self)
            }
        }
    )*};
}

pointers!(&T, &mut T, Box<T>, std::sync::Arc<T>);

impl<T: AsIdentity> AsIdentity for Option<T> {
    #[inline]
    fn as_identity(&self) -> IdentityValue<'_> {
        self.as_ref().map_or(IdentityValue::Absent, AsIdentity::as_identity)
    }
}

/// Expression of an identity argument.
///
/// Generated code calls `(&&&&IdentityExpr(&expression)).hub_otel_identity()`. Method resolution
/// removes one `&` at a time, so the first implementation below that fits the type is chosen. The
/// method has an unusual name because its traits are in scope of the user's expression.
#[derive(Debug)]
pub struct IdentityExpr<'a, T: ?Sized>(pub &'a T);

/// Conversion of an [`IdentityExpr`].
pub trait IdentityVia<'a> {
    /// Returns the value.
    fn hub_otel_identity(&self) -> IdentityValue<'a>;
}

/// Borrows a string.
impl<'a, T: AsIdentity + ?Sized> IdentityVia<'a> for &&&IdentityExpr<'a, T> {
    #[inline]
    fn hub_otel_identity(&self) -> IdentityValue<'a> {
        self.0.as_identity()
    }
}

/// Formats the content of an `Option`.
impl<'a, T: Display> IdentityVia<'a> for &&IdentityExpr<'a, Option<T>> {
    #[inline]
    fn hub_otel_identity(&self) -> IdentityValue<'a> {
        self.0.as_ref().map_or(IdentityValue::Absent, IdentityValue::formatted)
    }
}

/// Formats any other value.
impl<'a, T: Display + ?Sized> IdentityVia<'a> for &IdentityExpr<'a, T> {
    #[inline]
    fn hub_otel_identity(&self) -> IdentityValue<'a> {
        IdentityValue::formatted(self.0)
    }
}

/// Fallback for all other types, which exists for its error message.
pub trait IdentityUnsupported<'a, T: ?Sized> {
    /// Never called: no type implements `UnitIdentity`.
    fn hub_otel_identity(&self) -> IdentityValue<'a>
    where
        T: UnitIdentity;
}

impl<'a, T: ?Sized> IdentityUnsupported<'a, T> for IdentityExpr<'a, T> {
    fn hub_otel_identity(&self) -> IdentityValue<'a>
    where
        T: UnitIdentity,
    {
        IdentityValue::Absent
    }
}

/// Bound that no type implements: it makes the compiler print the message below.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot identify a unit of work",
    label = "neither a string nor a type with Display",
    note = "identities are `&str`, `String`, an `Option` of them, or any type with Display"
)]
pub trait UnitIdentity {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::time::Duration;

    #[test]
    fn run_ids_are_unique_uuids_of_version_7() {
        let ids: HashSet<_> = (0..1_000).map(|_| new_run_id().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 1_000);
        let ordered: Vec<_> = (0..1_000).map(|_| new_uuid(SystemTime::now())).collect();
        assert!(ordered.is_sorted(), "sortable by time");
        for id in ids {
            assert_eq!(uuid::Uuid::try_parse(&id).unwrap().get_version_num(), 7, "{id}");
        }
    }

    #[test]
    fn a_clock_before_1970_gives_an_id() {
        let early = UNIX_EPOCH - Duration::from_secs(3_600);
        assert_ne!(new_uuid(early), new_uuid(early));
    }
}
