//! The essentials of tests/behaviour, the same files, with instruments that are looked up instead of bound.

#[path = "../../behaviour/labels.rs"]
mod labels;
#[path = "../../behaviour/late_facts.rs"]
mod late_facts;
#[path = "../../behaviour/outcomes.rs"]
mod outcomes;
#[path = "../../behaviour/parents.rs"]
mod parents;
#[path = "../../behaviour/segments.rs"]
mod segments;

/// Were the feature on in this build, `bind` would be the instrument's own method, which takes its labels by reference.
#[test]
fn nothing_here_can_be_bound() {
    trait Unbound {
        fn bind(&self) -> bool {
            true
        }
    }
    impl<T> Unbound for opentelemetry::metrics::Counter<T> {}
    let counter = opentelemetry::global::meter("unbound").u64_counter("unbound").build();
    assert!(counter.bind());
}
