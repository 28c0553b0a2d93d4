//! Attribute macros and derives of [hub-otel](https://docs.rs/hub-otel). Use them through that
//! crate.

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

#[doc = include_str!("../docs/llm.md")]
#[doc = include_str!("../docs/calls.md")]
#[proc_macro_attribute]
pub fn instrument_llm(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(&macro_kind::LLM, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/tool.md")]
#[doc = include_str!("../docs/calls.md")]
#[proc_macro_attribute]
pub fn instrument_tool(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(&macro_kind::TOOL, arguments.into(), item.into()).into()
}

/// Implements `Label` for an enum: a metric label with a closed set of values.
///
/// The value of a variant is its name in snake_case. Variants hold no data, because each value is a
/// time series. A label is used in `labels(…)` of the attributes and in `.label()` of the builders.
///
/// | option | on | effect |
/// |---|---|---|
/// | `#[hub(rename = "…")]` | variant | sets another value |
/// | `#[hub(crate = path)]` | enum | path of a re-export of hub_otel |
///
/// ```
/// use hub_otel::{Label, LabelValue, instrument_agent};
///
/// #[derive(Clone, Copy, Label)]
/// enum Region {
///     EuWest,
///     #[hub(rename = "us-1")]
///     UsEast,
/// }
///
/// #[instrument_agent(labels(region))]
/// async fn deploy(region: Region) {}
///
/// assert_eq!(Region::EuWest.label(), LabelValue::Text("eu_west"));
/// assert_eq!(Region::UsEast.label(), LabelValue::Text("us-1"));
/// ```
#[proc_macro_derive(Label, attributes(hub))]
pub fn derive_label(item: TokenStream) -> TokenStream {
    derives::derive_label(&parse_macro_input!(item as DeriveInput)).into()
}

/// Implements `ErrorType` for an enum or a struct: a stable identifier for each kind of error.
///
/// The identifier is `error.type` on spans and `error_type` in metrics. It never contains the
/// message. The identifier of a variant or of a struct is its name in snake_case.
///
/// | option | on | effect |
/// |---|---|---|
/// | `#[hub(rename = "…")]` | variant, struct | sets another identifier |
/// | `#[hub(timed_out)]` | variant, struct | the unit ends TIMED_OUT instead of FAILED |
/// | `#[hub(transparent)]` | variant or struct with one field | takes both from the inner error |
/// | `#[hub(crate = path)]` | type | path of a re-export of hub_otel |
///
/// The attributes also accept errors without this trait. Their identifier is made of the crate and
/// the name of the type (`sqlx_error`); `Box<dyn Error>`, `anyhow::Error` and similar types are
/// identified by what they contain, else by `_OTHER`. The builders require the trait.
///
/// ```
/// use hub_otel::{ErrorType, instrument_agent};
///
/// #[derive(Debug, ErrorType)]
/// enum ScanError {
///     RateLimited,
///     #[hub(rename = "bad_target")]
///     InvalidTarget(String),
///     #[hub(timed_out)]
///     TooSlow,
///     #[hub(transparent)]
///     Io(std::io::Error),
/// }
///
/// #[instrument_agent]
/// async fn scan(target: &str) -> Result<u32, ScanError> {
///     if target.is_empty() {
///         return Err(ScanError::InvalidTarget(target.to_owned()));
///     }
///     Ok(0)
/// }
///
/// assert_eq!(ScanError::RateLimited.error_type(), "rate_limited");
/// assert_eq!(ScanError::InvalidTarget("x".into()).error_type(), "bad_target");
/// assert!(ScanError::TooSlow.timed_out());
/// assert_eq!(ScanError::Io(std::io::ErrorKind::NotFound.into()).error_type(), "io_not_found");
/// ```
#[proc_macro_derive(ErrorType, attributes(hub))]
pub fn derive_error_type(item: TokenStream) -> TokenStream {
    derives::derive_error_type(&parse_macro_input!(item as DeriveInput)).into()
}
