//! The example runs to its end without a Collector and without a network.

#[test]
fn the_example_prints_its_trace_and_exits() {
    hub_otel_tests::example::assert_prints(
        env!("CARGO_BIN_EXE_testing-agents"),
        &[],
        &["2 files"],
        &["workflow.execute", "agent.execute"],
    );
}
