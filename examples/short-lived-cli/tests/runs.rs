//! The example runs to its end without a Collector and without a network.

#[test]
fn the_example_prints_its_trace_and_exits() {
    hub_otel_tests::example::assert_prints(
        env!("CARGO_BIN_EXE_short-lived-cli"),
        &["three", "short", "words"],
        &["15 letters in 3 words"],
        &["workflow.execute", "agent.execute"],
    );
}
