//! What the macros refuse, and in which words: one fixture for each rule of docs/macro-rules.md.
//!
//! Only `cargo check` runs here. What the macros accept is compiled and run in tests/hygiene.

#[test]
#[ignore = "its expectations are being written"]
fn every_mistake_is_explained_at_the_word_to_change() {
    trybuild::TestCases::new().compile_fail("fail/**/*.rs");
}
