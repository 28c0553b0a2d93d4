//! Annotated code in edition 2018 compiles without warnings.
#![deny(warnings, missing_docs, clippy::pedantic, clippy::nursery)]

#[rustfmt::skip]
#[path = "../../../hygiene/shapes.rs"]
pub mod shapes;

#[cfg(test)]
mod tests {
    #[test]
    fn every_shape_runs_in_this_edition() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(super::shapes::call_everything());
    }
}
