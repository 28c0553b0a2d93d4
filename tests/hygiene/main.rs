//! The attributes change only telemetry: names, lints, values, drops, panics, `Send` and sizes stay
//! the same.

mod async_trait;
mod no_prelude;
mod recorded;
mod transparency;

/// Every shape in edition 2024, with all strict lints denied.
///
/// Editions 2018 and 2021: tests/editions.
#[deny(warnings, missing_docs, clippy::pedantic, clippy::nursery)]
pub mod shapes;

#[tokio::test]
async fn every_shape_runs_in_edition_2024() {
    shapes::call_everything().await;
}
