//! The attribute macros of [hub-otel](https://docs.rs/hub-otel). Use them through that crate.

mod args;
mod check;
mod derives;
mod errors;
mod expand;
mod item;
mod macro_kind;
mod table;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

#[doc = include_str!("../docs/workflow.md")]
#[doc = include_str!("../docs/shared.md")]
#[proc_macro_attribute]
pub fn instrument_workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(&macro_kind::WORKFLOW, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/agent.md")]
#[doc = include_str!("../docs/shared.md")]
#[proc_macro_attribute]
pub fn instrument_agent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(&macro_kind::AGENT, arguments.into(), item.into()).into()
}

/// A metric label with a closed set of values: each variant is its name in snake_case.
///
/// `#[hub(rename = "…")]` gives a variant another value, `#[hub(crate = path)]` on the type names a re-export of hub_otel.
///
/// ```
/// use hub_otel::{Label, LabelValue};
///
/// #[derive(Label)]
/// enum Region {
///     EuWest,
///     #[hub(rename = "us-1")]
///     UsEast,
/// }
///
/// assert_eq!(Region::EuWest.label(), LabelValue::Text("eu_west"));
/// assert_eq!(Region::UsEast.label(), LabelValue::Text("us-1"));
/// ```
#[proc_macro_derive(Label, attributes(hub))]
pub fn derive_label(item: TokenStream) -> TokenStream {
    derives::label(&parse_macro_input!(item as DeriveInput)).into()
}

/// A stable identifier for each kind of error: `error.type` on spans, `error_type` in metrics, never a message.
///
/// Each variant is its name in snake_case, a struct is its own name. On a variant or a struct, `#[hub(rename = "…")]` says
/// another identifier, `#[hub(timed_out)]` lets the unit end TIMED_OUT, and `#[hub(transparent)]` asks the one inner error.
/// `#[hub(crate = path)]` on the type names a re-export of hub_otel. An error without the derive is the last segment of its
/// type's path, `_OTHER` for `Box<dyn Error>` and the like.
///
/// ```
/// use hub_otel::ErrorType;
///
/// #[derive(ErrorType)]
/// enum ScanError {
///     RateLimited,
///     #[hub(rename = "bad_target")]
///     InvalidTarget(String),
///     #[hub(timed_out)]
///     Deadline,
///     #[hub(transparent)]
///     Io(std::io::Error),
/// }
///
/// assert_eq!(ScanError::RateLimited.error_type(), "rate_limited");
/// assert_eq!(ScanError::InvalidTarget("x".into()).error_type(), "bad_target");
/// assert!(ScanError::Deadline.timed_out());
/// assert_eq!(ScanError::Io(std::io::ErrorKind::NotFound.into()).error_type(), "io_not_found");
/// ```
#[proc_macro_derive(ErrorType, attributes(hub))]
pub fn derive_error_type(item: TokenStream) -> TokenStream {
    derives::error_type(&parse_macro_input!(item as DeriveInput)).into()
}
