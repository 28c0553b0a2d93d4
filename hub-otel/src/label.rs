//! Values of extra metric labels. Their types are bounded, so that no label creates a series per
//! user or per run.

/// A type with a small, fixed set of values, fit to be a metric label.
///
/// Implemented for `bool` and `&'static str`; derive it for enums of unit variants. Not for
/// `String`: a label whose values arrive at run time makes a time series of each.
///
/// ```
/// # use hub_otel::{Label, LabelValue};
/// assert_eq!(true.label(), LabelValue::Bool(true));
/// assert_eq!("eu-west".label(), LabelValue::Text("eu-west"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a metric label",
    label = "not a bounded label",
    note = "labels take `bool`, `&'static str` and enums with `#[derive(hub_otel::Label)]`; \
            what is not bounded belongs into `fields(…)`"
)]
pub trait Label {
    /// The value of the label.
    fn label(&self) -> LabelValue;
}

/// The value of a metric label.
///
/// ```
/// use hub_otel::{Label, LabelValue};
///
/// #[derive(Label)]
/// enum Tier {
///     Free,
///     Paid,
/// }
///
/// assert_eq!(Tier::Free.label(), LabelValue::Text("free"));
/// assert_eq!(Tier::Paid.label(), LabelValue::Text("paid"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LabelValue {
    /// A string from a fixed set.
    Text(&'static str),
    /// A boolean.
    Bool(bool),
}

impl LabelValue {
    pub(crate) fn value(self) -> opentelemetry::Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Bool(truth) => truth.into(),
        }
    }

    /// Returns a key that orders values of both types.
    pub(crate) fn sort_key(self) -> (bool, &'static str) {
        match self {
            Self::Text(text) => (false, text),
            Self::Bool(truth) => (true, if truth { "true" } else { "false" }),
        }
    }
}

impl Label for bool {
    fn label(&self) -> LabelValue {
        LabelValue::Bool(*self)
    }
}

impl Label for &'static str {
    fn label(&self) -> LabelValue {
        LabelValue::Text(self)
    }
}

impl<T: Label> Label for &T {
    fn label(&self) -> LabelValue {
        T::label(self)
    }
}
