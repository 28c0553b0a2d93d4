//! The attributes change nothing but telemetry: names, lints, values, drops, panics, Send and sizes.

mod async_trait;
mod no_prelude;
mod recorded;
mod transparency;

/// Every shape under edition 2024, and every lint that a careful user denies.
///
/// Editions 2018 and 2021: tests/editions.
#[deny(warnings, missing_docs, clippy::pedantic, clippy::nursery)]
pub mod shapes;

#[tokio::test]
async fn every_shape_runs_in_edition_2024() {
    shapes::call_everything().await;
}
